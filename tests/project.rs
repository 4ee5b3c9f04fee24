//! What the project says of itself in more than one place agrees: its version, its changelog, its dependencies, the tests that its
//! documents name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn series() -> String {
    format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"))
}

/// The version number right after each occurrence of a text.
fn versions_after<'text>(text: &'text str, before: &str) -> Vec<&'text str> {
    text.split(before)
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().unwrap().trim_end_matches('.')
        })
        .filter(|version| !version.is_empty())
        .collect()
}

#[test]
fn cargo_alone_says_the_version() {
    assert!(read("cli/Cargo.toml").contains("version.workspace = true"));
    // These take it from there; what they make of it is tested where it is used: tests/consumer/use, tests/packages.
    assert!(read("CMakeLists.txt").contains("file(STRINGS Cargo.toml moorline_version"));
    assert!(read("conanfile.py").contains("\"Cargo.toml\""));
    for file in [
        "CMakeLists.txt",
        "conanfile.py",
        "cmake/moorline.pc.in",
        "cmake/MoorlineConfig.cmake.in",
        "Doxyfile",
    ] {
        assert!(
            !read(file).contains(VERSION),
            "{file} has the version {VERSION} in it, which Cargo.toml says"
        );
    }
}

#[test]
fn the_header_has_the_version() {
    let header = read("include/moorline/moorline.h");
    assert_eq!(versions_after(&header, "#define MOORLINE_VERSION \""), [VERSION]);
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| {
        let found = versions_after(&header, &format!("#define MOORLINE_VERSION_{part} "));
        assert_eq!(found.len(), 1);
        found[0].to_owned()
    });
    assert_eq!(parts.join("."), VERSION);
}

#[test]
fn what_the_documents_show_is_this_version() {
    let mut shown = 0;
    for file in ["README.md", "docs/building.md", "docs/packages.md", "docs/migrating-from-qlocalsocket.md"] {
        let text = read(file);
        for version in versions_after(&text, "find_package(Moorline ") {
            assert_eq!(version, series(), "{file}");
            shown += 1;
        }
        for before in
            ["libmoorline.so.", "libmoorline-qt6.so.", "libmoorline_", "libmoorline-dev_", "moorline/"]
        {
            for version in versions_after(&text, before).into_iter().filter(|version| version.contains('.')) {
                assert_eq!(version, VERSION, "{file}: after {before}");
                shown += 1;
            }
        }
    }
    assert!(shown > 3, "the documents were not understood");
}

#[test]
fn the_documents_say_which_rust_it_takes() {
    let manifest = read("Cargo.toml");
    let needed = versions_after(&manifest, "rust-version = \"");
    assert_eq!(needed.len(), 1);
    for file in ["README.md", "docs/building.md"] {
        let text = read(file);
        let said: Vec<&str> =
            versions_after(&text, "Rust ").into_iter().filter(|version| version.contains('.')).collect();
        assert!(!said.is_empty(), "{file} does not say it");
        assert!(said.iter().all(|version| *version == needed[0]), "{file}: {said:?}");
    }
}

/// What is wrong with a changelog, by Keep a Changelog 1.1.0.
fn faults_of_changelog(text: &str, version: &str) -> Vec<String> {
    const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let mut faults = Vec::new();
    let mut releases: Vec<Vec<u32>> = Vec::new();
    let mut is_first = true;
    let mut kinds: Vec<&str> = Vec::new();
    let mut unreleased = 0;
    let mut entries = 1;

    if !text.starts_with("# Changelog\n") {
        faults.push("it does not begin with '# Changelog'".to_owned());
    }
    for line in text.lines() {
        let is_heading = line.starts_with("## ") || line.starts_with("### ");
        if is_heading && entries == 0 && !kinds.is_empty() {
            faults.push(format!("nothing is listed before '{line}'"));
        }
        if let Some(heading) = line.strip_prefix("## ") {
            kinds.clear();
            match heading.strip_prefix('[').and_then(|rest| rest.split_once("] - ")) {
                Some((number, date)) => {
                    let parts: Vec<u32> = number.split('.').filter_map(|part| part.parse().ok()).collect();
                    if parts.len() != 3 {
                        faults.push(format!("'{number}' is no version"));
                    }
                    if releases.last().is_some_and(|newer| *newer <= parts) {
                        faults.push(format!("{number} is below an older version"));
                    }
                    if !is_date(date) {
                        faults.push(format!("{number} has not a date as 2000-12-31, but '{date}'"));
                    }
                    releases.push(parts);
                }
                None if heading == "[Unreleased]" && is_first => {}
                None => faults.push(format!(
                    "'{line}' is neither '[Unreleased]', which is first, nor '[version] - date'"
                )),
            }
            is_first = false;
        } else if let Some(kind) = line.strip_prefix("### ") {
            if !KINDS.contains(&kind) || kinds.contains(&kind) {
                faults.push(format!("'{kind}' is no kind of change, or twice in a version"));
            }
            kinds.push(kind);
            entries = 0;
        } else if line.starts_with("- ") {
            entries += 1;
            unreleased += usize::from(releases.is_empty());
        }
    }
    let current: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    match releases.first() {
        Some(newest) if *newest > current => faults.push(format!("it has released more than {version}")),
        Some(newest) if *newest == current => {}
        _ if unreleased == 0 => faults.push(format!("it says nothing of {version}, released or unreleased")),
        _ => {}
    }
    faults
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[test]
fn the_changelog_has_its_form_and_knows_the_version() {
    let faults = faults_of_changelog(&read("CHANGELOG.md"), VERSION);
    assert!(faults.is_empty(), "CHANGELOG.md: {faults:#?}");
}

#[test]
fn the_check_of_the_changelog_finds_faults() {
    let good = "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-02-01\n\n### Added\n\n- More.\n\n## [1.0.0] - 2026-01-01\n\n### Added\n\n- All.\n";
    assert_eq!(faults_of_changelog(good, "1.1.0"), Vec::<String>::new());
    for (from, to) in [
        ("# Changelog", "# News"),
        ("[Unreleased]", "Unreleased"),
        ("2026-02-01", "1 February"),
        ("1.1.0", "1.1"),
        ("1.1.0", "0.9.0"),
        ("1.1.0", "1.2.0"),
        ("### Added", "### New"),
        ("- More.", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(!faults_of_changelog(&bad, "1.1.0").is_empty(), "'{to}' for '{from}' is not found");
    }
    assert!(!faults_of_changelog(good, "1.2.0").is_empty(), "a version that it does not know is not found");
}

/// The names of the direct dependencies of a manifest, of whatever kind.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.trim_end_matches(']').ends_with("dependencies");
        } else if in_dependencies && let Some((name, _)) = line.split_once('=') {
            names.insert(name.trim().split('.').next().unwrap());
        }
    }
    names
}

#[test]
fn every_dependency_has_its_reason_and_no_other_has() {
    let manifests = ["", "cli/", "benches/rust/", "fuzz/", "proof/models/"]
        .map(|folder| read(&format!("{folder}Cargo.toml")));
    let mut used: BTreeSet<&str> = manifests.iter().flat_map(|manifest| dependencies(manifest)).collect();
    assert!(used.remove("moorline"), "the manifests were not understood: {used:?}");

    let document = read("docs/dependencies.md");
    let named: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|row| row.split(" |").next())
        .flat_map(|names| names.split(", "))
        .filter(|name| *name != "crate")
        .collect();
    let unnamed: Vec<_> = used.difference(&named).collect();
    assert!(unnamed.is_empty(), "docs/dependencies.md has no reason for {unnamed:?}");
    let unused: Vec<_> = named.difference(&used).collect();
    assert!(unused.is_empty(), "docs/dependencies.md has reasons for what is not used: {unused:?}");
}

/// The modules of a file that the map in its documentation lacks, and those that are in the map alone.
fn faults_of_map(text: &str) -> Vec<&str> {
    let mapped: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("//! | ")?.split('`').nth(1)).collect();
    let declarations = text.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let modules: BTreeSet<&str> =
        declarations.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    modules.symmetric_difference(&mapped).copied().collect()
}

#[test]
fn every_module_is_on_its_map_and_no_other_is() {
    for file in ["src/lib.rs", "src/testkit/mod.rs"] {
        let text = read(file);
        assert!(text.matches("\n//! | ").count() > 10, "{file} was not understood");
        assert_eq!(faults_of_map(&text), Vec::<&str>::new(), "{file}");
    }
    assert_eq!(
        faults_of_map("//! | `one` | two |\n//! | [`three`] | |\npub mod three;\nmod four;\n"),
        ["four", "one"]
    );
}

/// The texts between the quotes of a part of a file.
fn quoted<'text>(text: &'text str, begin: &str, end: &str, quote: char) -> BTreeSet<&'text str> {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("there is no {begin:?}"));
    let (part, _) = rest.split_once(end).unwrap_or_else(|| panic!("there is no {end:?} behind {begin:?}"));
    part.split(quote).skip(1).step_by(2).collect()
}

#[test]
fn the_document_of_the_proofs_names_the_files_that_they_take() {
    let document = read("docs/proofs.md");
    let script = read("proof/mutants");
    let (_, core) = script.split_once("core=(").unwrap();
    let changed: BTreeSet<String> =
        core.split(')').next().unwrap().split(' ').map(|file| format!("{file}.rs")).collect();
    let said = quoted(&document, "has cargo-mutants change ", ", one small change", '`');
    assert_eq!(said, changed.iter().map(String::as_str).collect());

    let build = read("proof/models/build.rs");
    let compiled = quoted(&build, "const SOURCES", "];", '"');
    assert!(compiled.len() > 10, "the models were not understood");
    let said = quoted(&document, "own files of waiting, closing and waking (", ") with loom", '`');
    let is_said = |file: &&str| said.iter().any(|it| it == file || it.ends_with('/') && file.starts_with(it));
    assert_eq!(compiled.iter().filter(|file| !is_said(file)).collect::<Vec<_>>(), Vec::<&&str>::new());
    let is_compiled =
        |it: &&str| compiled.iter().any(|file| file == it || it.ends_with('/') && file.starts_with(it));
    assert_eq!(said.iter().filter(|it| !is_compiled(it)).collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// What waits and wakes there is then loom's in the models. Tests have what they like.
#[test]
fn what_the_models_compile_takes_what_threads_meet_at_from_one_place() {
    let build = read("proof/models/build.rs");
    for file in quoted(&build, "const SOURCES", "];", '"') {
        let source = read(&format!("src/{file}"));
        let code = source.split("mod tests {").next().unwrap();
        for other in
            ["parking_lot", "std::sync::atomic", "std::sync::{Mutex", "std::sync::Mutex", "std::thread"]
        {
            assert!(!code.contains(other), "{file}: {other}");
        }
    }
}

#[test]
fn valgrind_runs_the_qt_tests_or_its_script_says_why_not() {
    let script = read("proof/valgrind/run");
    let tests = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qt"));
    let names = tests.iter().filter_map(|file| file.file_stem()?.to_str());
    let unnamed: Vec<&str> =
        names.filter(|name| name.starts_with("tst_") && !script.contains(name)).collect();
    assert_eq!(unnamed, Vec::<&str>::new());
}

/// The functions that a part of a file declares, in whatever block.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap())
}

/// Those of the backend that does nothing are those that there have to be.
#[test]
fn what_a_backend_has_is_in_its_contract() {
    let contract = read("src/sys/mod.rs");
    let contract: String = contract.lines().take_while(|line| line.starts_with("//!")).collect();
    let backend = read("src/sys/windows/mod.rs");
    let closed = read("src/sys/windows/closed.rs");
    let (_, sockets) = closed.split_once("impl Stream {").unwrap();
    let (sockets, _) = sockets.split_once("impl Directory {").unwrap();
    let needed: Vec<&str> = functions(&backend)
        .chain(functions(sockets))
        .filter(|name| !["not_supported", "as_handle"].contains(name))
        .collect();
    assert!(needed.len() > 40, "the backend was not understood");
    let missing: Vec<&&str> = needed.iter().filter(|name| !contract.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

/// The files below a folder.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Which is everybody's to set: whatever waits or counts looks at the monotonic clock.
#[test]
fn the_library_never_looks_at_the_time_of_day() {
    let sources = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 30, "the sources were not found");
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        for way in ["SystemTime", "UNIX_EPOCH", "REALTIME", "Realtime", "gettimeofday", "TAI"] {
            assert!(!text.contains(way), "{}: {way}", source.display());
        }
    }
}

/// What is wrong with the tests that a document names in the last column of its tables of attacks: `file`: `function`, `function`.
fn faults_of_named_tests(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut in_table = false;
    for line in text.lines() {
        if !line.starts_with('|') {
            in_table = false;
        } else if line.ends_with("| shown by |") {
            in_table = true;
        } else if in_table && !line.starts_with("|---") {
            let shown_by = line.trim_end_matches(" |").rsplit("| ").next().unwrap();
            let mut file = None;
            for name in shown_by.split('`').skip(1).step_by(2) {
                if name.contains('.') {
                    let folder = if name.starts_with("test_") { "tests/c/" } else { "" };
                    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
                    file = fs::read_to_string(path).ok().filter(|_| name.contains("test"));
                    if file.is_none() {
                        faults.push(format!("there is no test {name}"));
                    }
                } else if let Some(file) = &file {
                    let in_c = file.contains(&format!("\nstatic void {name}(void)\n"))
                        && file.contains(&format!("    RUN({name});\n"));
                    let in_qt = file.contains(&format!("\n    void {name}()\n    {{\n"));
                    if !in_c && !in_qt && !file.contains(&format!("#[test]\nfn {name}()")) {
                        faults.push(format!("there is no test {name} in the file that is named for it"));
                    }
                }
            }
            if !shown_by.contains('`') {
                faults.push(format!("no test is named for this: {line}"));
            }
        }
    }
    faults
}

/// What a document leads to that is not there: other pages by links, targets of make, and files of the sources by names in backticks
/// that begin with a folder's.
fn dead_leads(document: &str, text: &str, targets: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(document).parent().unwrap().to_owned();
    let in_text = |before: &str, end: &[char]| -> Vec<String> {
        let parts = text.split(before).skip(1);
        parts.map(|part| part.split(|c| end.contains(&c)).next().unwrap().to_owned()).collect()
    };
    // With a colon it leads elsewhere, or is code.
    let links = in_text("](", &[')', '#']).into_iter().filter(|link| !link.contains(':'));
    let pages = links.filter(|link| !link.is_empty() && !folder.join(link).exists());
    let rules = targets.lines().filter_map(|line| line.split_once(':')).map(|(rule, _)| rule);
    let known: Vec<&str> = rules.flat_map(str::split_whitespace).collect();
    let no_target = |target: &String| !known.contains(&target.as_str());
    let commands = in_text("`make ", &['`', ' ']).into_iter().filter(no_target);
    let folders = [
        "src/",
        "include/moorline/",
        "qt/",
        "cli/",
        "tests/",
        "proof/",
        "fuzz/",
        "benches/",
        "cmake/",
        "tools/",
    ];
    // What runs leave, which git does not keep: it is there or not.
    let is_left = |name: &str| {
        let (folder, file) = name.split_once('/').unwrap_or_default();
        let left_out = fs::read_to_string(root.join(folder).join(".gitignore")).unwrap_or_default();
        left_out.lines().any(|line| line.trim_matches('/') == file)
    };
    let code = text.split('`').skip(1).step_by(2);
    let files = code.filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
    let files = files.filter(|name| !name.contains([' ', '*', '<', ':', '{']) && !root.join(name).exists());
    let files = files.filter(|name| !is_left(name));
    pages.chain(commands).chain(files.map(str::to_owned)).collect()
}

#[test]
fn documents_lead_to_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = ["Makefile", "tools/packages.mk", "proof/proof.mk"].map(read).concat();
    let pages = files_below(&root.join("docs"));
    let pages = pages.iter().filter_map(|page| page.strip_prefix(root).ok()?.to_str());
    let pages: Vec<&str> =
        pages.filter(|page| page.ends_with(".md")).chain(["README.md", "CONTRIBUTING.md"]).collect();
    assert!(pages.len() > 10, "the documents were not found");
    for page in pages {
        assert_eq!(dead_leads(page, &read(page), &targets), Vec::<String>::new(), "{page}");
    }
    let dead = "[a page](none.md#part), `make none` and `make test`, `src/none.rs`, `src/lib.rs`, `fuzz/coverage`, [here](#part)";
    assert_eq!(dead_leads("docs/wire.md", dead, &targets), ["none.md", "none", "src/none.rs"]);
}

/// Lines move, and then others are left out than were meant.
#[test]
fn no_mutant_is_left_out_by_the_number_of_its_line() {
    let names_line = |pattern: &&str| {
        pattern
            .split(".rs:")
            .skip(1)
            .any(|rest| rest.starts_with(|first: char| first == '(' || first.is_ascii_digit()))
    };
    let settings = read(".cargo/mutants.toml");
    let patterns: Vec<&str> = settings.lines().filter(|line| line.contains("replace ")).collect();
    assert!(patterns.len() > 3, "the settings were not understood");
    assert_eq!(patterns.into_iter().filter(names_line).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn what_the_threat_model_promises_has_tests() {
    let document = read("docs/security.md");
    assert!(document.matches("| shown by |").count() >= 4, "the document was not understood");
    let faults = faults_of_named_tests(&document);
    assert!(faults.is_empty(), "docs/security.md: {faults:#?}");
}

#[test]
fn the_check_of_named_tests_finds_faults() {
    let table = |shown_by: &str| format!("| attack | shown by |\n|---|---|\n| any | {shown_by} |\n");
    for good in [
        "`test_fork.c`",
        "`test_fork.c`: `test_everything_goes_on`; `tests/socket.rs`: `a_released_descriptor_lives_on`",
    ] {
        assert_eq!(faults_of_named_tests(&table(good)), Vec::<String>::new());
    }
    for bad in [
        "by construction",
        "`src/socket/mod.rs`",
        "`test_none.c`",
        "`test_fork.c`: `test_nothing_goes_on`",
        "`tests/socket.rs`: `main`",
    ] {
        assert_eq!(faults_of_named_tests(&table(bad)).len(), 1, "{bad} is not found");
    }
}
