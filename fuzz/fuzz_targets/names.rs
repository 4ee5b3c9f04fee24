//! Any name: it is refused, or means one place, which its full name means too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline::Scope;
use moorline::name::Name;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fuzz_target!(|bytes: &[u8]| {
    let Some((scope, name)) = bytes.split_first() else { return };
    let scope = [Scope::Temporary, Scope::Runtime, Scope::Abstract][usize::from(*scope) % 3];
    let name = OsStr::from_bytes(name);
    if let Ok(resolved) = Name::resolve(name, scope) {
        let full = resolved.to_os_string();
        if !resolved.is_abstract() {
            assert!(full.as_bytes().starts_with(b"/"), "{full:?}");
            assert!(!full.as_bytes().contains(&0), "{full:?}");
        }
        let again = Name::resolve(&full, scope).expect("a full name is a name");
        assert_eq!(again.to_os_string(), full);
        // Looking is harmless, whatever the name.
        let _ = resolved.state();
    }
    if let Ok(unique) = Name::unique(name, scope) {
        assert!(unique != Name::unique(name, scope).expect("it was one before"));
    }
    let _ = Name::from_abstract(bytes);
});
