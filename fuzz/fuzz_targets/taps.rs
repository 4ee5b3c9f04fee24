//! Whatever it holds, a file is a recording, which is written as it was read, or an error that names the line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline::testkit::Recording;

fuzz_target!(|text: &[u8]| {
    match Recording::parse(text) {
        Ok(recording) => {
            let again = Recording::parse(recording.to_text()).expect("what was written is read");
            assert_eq!(again, recording);
        }
        Err(error) => assert!(error.to_string().starts_with("line "), "{error}"),
    }
});
