//! The C headers are generated from the sources, and say what they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A header, and what it is made from.
struct Header {
    file: &'static str,
    config: &'static str,
    /// The folder of the sources.
    sources: &'static str,
    /// The order in which one reads, of those that don't stand at the end in any.
    order: &'static [&'static str],
}

const HEADERS: [Header; 2] = [
    Header {
        file: "include/moorline/moorline.h",
        config: "cbindgen.toml",
        sources: "src/ffi",
        // What everything needs first, then names, servers, sockets, and what is built on them.
        order: &[
            "status",
            "library",
            "arguments",
            "name",
            "server",
            "socket",
            "message",
            "poller",
            "service",
            "connection",
            "statistics",
            "policy",
            "exchange",
        ],
    },
    Header {
        file: "include/moorline/testkit.h",
        config: "cbindgen-testkit.toml",
        sources: "src/ffi/testkit",
        order: &["verdicts", "faults", "clock", "fixture", "leaks", "tap", "proxy", "recording"],
    },
];

fn read(header: &Header) -> String {
    fs::read_to_string(root().join(header.file)).unwrap_or_default()
}

fn generate(header: &Header) -> String {
    let mut config = cbindgen::Config::from_file(root().join(header.config)).unwrap();
    let filled = config.after_includes.take().map(|text| {
        text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
            .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
            .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
    });
    config.after_includes = filled;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in sources(header) {
        builder = builder.with_src(file);
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    without_safety(&String::from_utf8(text).unwrap())
}

/// Drops the sections "# Safety", which are for Rust: C has no other kind of function.
fn without_safety(header: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut in_section = false;
    for line in header.lines() {
        if line.trim() == "* # Safety" {
            in_section = true;
            while lines.last().is_some_and(|line| line.trim() == "*") {
                lines.pop();
            }
        }
        if line.trim() == "*/" {
            in_section = false;
        }
        if !in_section {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

fn sources(header: &Header) -> Vec<PathBuf> {
    let mut sources: Vec<_> = fs::read_dir(root().join(header.sources))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        // The list of the others: cbindgen would follow it and find them a second time.
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .collect();
    sources.sort_by_key(|path| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        header.order.iter().position(|name| *name == stem).unwrap_or(header.order.len())
    });
    sources
}

#[test]
fn headers_are_up_to_date() {
    for header in &HEADERS {
        let generated = generate(header);
        if env::var_os("MOORLINE_REWRITE_HEADER").is_some() {
            fs::write(root().join(header.file), &generated).unwrap();
        }
        assert!(
            generated == read(header),
            "{} differs from the sources; MOORLINE_REWRITE_HEADER=1 cargo test --test header writes it",
            header.file
        );
    }
}

/// The functions that the sources export, with whether their whole body is one call of a guard.
fn exported_functions(header: &Header) -> Vec<(String, bool)> {
    let mut functions = Vec::new();
    for path in sources(header) {
        let source = fs::read_to_string(&path).unwrap();
        for item in syn::parse_file(&source).unwrap().items {
            if let syn::Item::Fn(function) = item
                && is_exported(&function)
            {
                functions.push((function.sig.ident.to_string(), is_guarded(&function)));
            }
        }
    }
    functions
}

fn is_exported(function: &syn::ItemFn) -> bool {
    function.attrs.iter().any(|attribute| {
        let text = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            meta => meta.path().segments.last().unwrap().ident.to_string(),
        };
        text.contains("no_mangle") || text.contains("export_name")
    })
}

fn is_guarded(function: &syn::ItemFn) -> bool {
    let [syn::Stmt::Expr(syn::Expr::Call(call), None)] = function.block.stmts.as_slice() else {
        return false;
    };
    let syn::Expr::Path(callee) = &*call.func else { return false };
    // `self::guard`, where a parameter is called so.
    callee.path.segments.last().is_some_and(|last| last.ident == "guard" || last.ident == "guard_or")
}

#[test]
fn every_export_is_guarded() {
    for header in &HEADERS {
        let functions = exported_functions(header);
        assert!(functions.len() > 30, "the sources were not understood: {functions:?}");
        for (name, guarded) in functions {
            assert!(guarded, "the body of {name} is not one call of guard or guard_or");
        }
    }
}

#[test]
fn the_check_for_guards_finds_what_lacks_one() {
    let plant = |text: &str| syn::parse_str::<syn::ItemFn>(text).unwrap();
    let bare = plant("#[unsafe(no_mangle)] pub extern \"C\" fn f() -> i32 { 0 }");
    let after = plant("#[unsafe(no_mangle)] pub extern \"C\" fn f() -> i32 { g(); guard(|| Ok(())) }");
    let good = plant("#[unsafe(no_mangle)] pub extern \"C\" fn f() -> i32 { guard(|| Ok(())) }");
    assert!(is_exported(&bare) && !is_guarded(&bare));
    assert!(!is_guarded(&after));
    assert!(is_guarded(&good));
}

/// The names that a header declares as functions.
fn declared_functions(header: &Header) -> Vec<String> {
    let code: String = without_comments(&read(header));
    code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '('))
        .filter_map(|word| word.strip_suffix('(').or_else(|| word.split_once('(').map(|(name, _)| name)))
        .filter(|name| name.starts_with("moorline_"))
        .map(str::to_owned)
        .collect()
}

fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut code = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    // The initialisers in the macros mention types.
    let code = code + rest;
    code.lines().filter(|line| !line.starts_with("#define")).collect::<Vec<_>>().join("\n")
}

/// The names of types and constants that a header defines.
fn defined_names(header: &Header) -> Vec<String> {
    let code = without_comments(&read(header));
    let types = code.lines().filter_map(|line| {
        // `typedef struct name name;`, or `} name;` after fields, or `typedef int32_t name;`.
        let ends_type = line.starts_with("typedef") || line.starts_with('}');
        ends_type.then(|| line.strip_suffix(';')?.rsplit(' ').next().map(str::to_owned)).flatten()
    });
    let text = read(header);
    let constants = text.lines().filter_map(|line| {
        let name = line.strip_prefix("#define ")?.split(' ').next()?;
        (!name.contains('(')).then(|| name.to_owned())
    });
    types.chain(constants).filter(|name| name.to_ascii_lowercase().starts_with("moorline_")).collect()
}

#[test]
fn nothing_is_declared_twice() {
    let [ours, kits] = HEADERS.each_ref().map(|header| {
        let functions = declared_functions(header);
        let distinct: BTreeSet<String> = functions.iter().cloned().collect();
        assert_eq!(distinct.len(), functions.len(), "{} declares a function twice", header.file);
        let names: BTreeSet<String> = defined_names(header).into_iter().chain(distinct).collect();
        assert!(names.len() > 70, "{} was not understood: {names:?}", header.file);
        names
    });
    assert_eq!(ours.intersection(&kits).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_fuzzers_call_every_function() {
    let folder = root().join("fuzz/fuzz_targets");
    let targets = ["calls.rs", "testkit_calls.rs", "run.rs"];
    let targets = targets.map(|file| fs::read_to_string(folder.join(file)).unwrap()).concat();
    let called: BTreeSet<&str> = targets.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let forgotten: Vec<String> = HEADERS
        .iter()
        .flat_map(declared_functions)
        .filter(|function| !called.contains(function.as_str()))
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// The shared library that cargo built along with this test.
#[cfg(target_os = "linux")]
fn shared_library() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().join("libmoorline.so")
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_exports_exactly_what_the_headers_declare() {
    use object::{Object, ObjectSymbol};
    let bytes = fs::read(shared_library()).unwrap();
    let library = object::File::parse(&*bytes).unwrap();
    let exported: BTreeSet<String> = library
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .collect();
    let declared: BTreeSet<String> = HEADERS.iter().flat_map(declared_functions).collect();
    assert_eq!(exported, declared);
    let sources: BTreeSet<String> =
        HEADERS.iter().flat_map(exported_functions).map(|(name, _)| name).collect();
    assert_eq!(exported, sources);
}

#[test]
#[cfg(target_os = "linux")]
fn versions_agree() {
    let header = read(&HEADERS[0]);
    let abi = header
        .lines()
        .find_map(|line| line.strip_prefix("#define MOORLINE_ABI_VERSION "))
        .expect("the header has the version of the ABI");
    assert!(header.contains(&format!("#define MOORLINE_VERSION \"{}\"", env!("CARGO_PKG_VERSION"))));
    assert_eq!(moorline::VERSION, env!("CARGO_PKG_VERSION"));

    use object::read::elf::{Dyn, FileHeader};
    let bytes = fs::read(shared_library()).unwrap();
    let elf = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).unwrap();
    let endian = elf.endian().unwrap();
    let sections = elf.sections(endian, &*bytes).unwrap();
    let (dynamic, link) = sections.dynamic(endian, &*bytes).unwrap().unwrap();
    let strings = sections.strings(endian, &*bytes, link).unwrap();
    let soname = dynamic
        .iter()
        .find(|entry| entry.tag(endian) == object::elf::DT_SONAME)
        .map(|entry| entry.string(endian, strings).unwrap())
        .expect("the library has a soname");
    assert_eq!(soname, format!("libmoorline.so.{abi}").as_bytes());
}
