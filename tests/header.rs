//! The C header is generated from the sources, and says what they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generate() -> String {
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let filled = config.after_includes.take().map(|text| {
        text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
            .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
            .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
    });
    config.after_includes = filled;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ffi_sources() {
        builder = builder.with_src(file);
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    without_safety(&String::from_utf8(header).unwrap())
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

fn ffi_sources() -> Vec<PathBuf> {
    let mut sources: Vec<_> = fs::read_dir(root().join("src/ffi"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        // The list of the others: cbindgen would follow it and find them a second time.
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .collect();
    // The order in which one reads: what everything needs first, then names, servers, sockets, and what is built on them.
    let order = [
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
    ];
    sources.sort_by_key(|path| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        order.iter().position(|name| *name == stem).unwrap_or(order.len())
    });
    sources
}

#[test]
fn header_is_up_to_date() {
    let path = root().join("include/moorline/moorline.h");
    let generated = generate();
    if env::var_os("MOORLINE_REWRITE_HEADER").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        generated == committed,
        "{} differs from the sources; MOORLINE_REWRITE_HEADER=1 cargo test --test header writes it",
        path.display()
    );
}

/// The functions that the sources export, with whether their whole body is one call of a guard.
fn exported_functions() -> Vec<(String, bool)> {
    let mut functions = Vec::new();
    for path in ffi_sources() {
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
    callee.path.is_ident("guard") || callee.path.is_ident("guard_or")
}

#[test]
fn every_export_is_guarded() {
    let functions = exported_functions();
    assert!(functions.len() > 40, "the sources were not understood: {functions:?}");
    for (name, guarded) in functions {
        assert!(guarded, "the body of {name} is not one call of guard or guard_or");
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

/// The names that the header declares as functions.
fn declared_functions() -> Vec<String> {
    let header = fs::read_to_string(root().join("include/moorline/moorline.h")).unwrap();
    let code: String = without_comments(&header);
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

/// The shared library that cargo built along with this test.
#[cfg(target_os = "linux")]
fn shared_library() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().join("libmoorline.so")
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_exports_exactly_what_the_header_declares() {
    use object::{Object, ObjectSymbol};
    let bytes = fs::read(shared_library()).unwrap();
    let library = object::File::parse(&*bytes).unwrap();
    let exported: BTreeSet<String> = library
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .collect();
    let declared = declared_functions();
    let distinct: BTreeSet<String> = declared.iter().cloned().collect();
    assert_eq!(distinct.len(), declared.len(), "the header declares something twice");
    assert_eq!(exported, distinct);
    let sources: BTreeSet<String> = exported_functions().into_iter().map(|(name, _)| name).collect();
    assert_eq!(exported, sources);
}

#[test]
#[cfg(target_os = "linux")]
fn versions_agree() {
    let header = fs::read_to_string(root().join("include/moorline/moorline.h")).unwrap();
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
