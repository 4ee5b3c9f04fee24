# What the scripts that use an install have in common: source it with $work set to a directory of the script's own.

# The make above, if there is one, has no say in the builds below.
unset MAKEFLAGS MAKELEVEL MFLAGS
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}

step() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# Runs a command and shows what it said only if it failed.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$*"; }; }
