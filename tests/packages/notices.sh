# What the tests of packages look at in their notices. Source it after tests/consumer/steps.sh, with $source_dir and $work set.

# check_notices PACKAGE NOTICES STANDARD-LIBRARY BINARY  That a text of notices names whatever crate of others is linked into a package of this
# workspace, by its version, and whoever its licence says has the copyright; and that the text of the standard library is there.
#
# What is linked is asked of cargo, and of the paths that the binary itself holds.
check_notices() {
    local package=$1 notices=$2 standard_library=$3 binary=$4 target name version holder
    local -a sources
    [ -s "$notices" ] || fail "there are no notices $notices"
    # As the toolchain has it, which names not quite all: docs/packages.md.
    [ -s "$standard_library" ] || fail "there are no notices of the standard library, $standard_library"
    target=$(rustc -vV | sed -n 's/^host: //p')
    {
        (cd "$source_dir" && cargo tree --locked --offline --package "$package" --edges normal,no-proc-macro --target "$target" \
            --prefix none --no-dedupe) | sed -n '/ (\//!s/^\([^ ]*\) v\([^ ]*\).*/\1 \2/p'
        crates_in "$binary" 'registry/src/[^/]+'
    } | sort -u >"$work/crates"
    grep -q '^mio ' "$work/crates" || fail "what is in $package was not found out, but only: $(cat "$work/crates")"

    # In one line, with one space between words, as lines are broken and indented this way and that.
    tr -s ' \t\r\n' ' ' <"$notices" >"$work/words"
    while read -r name version; do
        grep -qF " $name $version: " "$work/words" || fail "$notices does not name $name $version"
        sources=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-$version")
        [ -d "${sources[0]}" ] || fail "the sources of $name are not at ${sources[0]}"
        while read -r holder; do
            grep -qF "$holder" "$work/words" || fail "$notices lacks the notice of $name: $holder"
        done < <(cat "${sources[0]}"/LICENSE* | sed -n 's/^[ \t]*\(Copyright ([Cc]).*[^ \t\r]\)[ \t\r]*$/\1/p' | tr -s ' \t' ' ')
    done <"$work/crates"
}

# crates_in BINARY DIRECTORY  The names and versions of the crates whose files in a directory, which is a pattern, a binary names.
crates_in() {
    local crate='/([A-Za-z0-9_-]+)-([0-9]+\.[0-9]+\.[0-9]+[-+.A-Za-z0-9]*)/'
    { grep -aoE "$2$crate" "$1" || true; } | sed -E "s,^.*$crate\$,\1 \2," | sort -u
}
