//! Whatever it holds, a file is a script for a fixture, or an error that names the line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline::testkit::Script;

fuzz_target!(|text: &[u8]| {
    if let Err(error) = Script::parse(text) {
        assert!(error.to_string().starts_with("script, line "), "{error}");
    }
});
