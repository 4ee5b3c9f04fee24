//! Whatever a peer says first: it is a greeting and is read whole, or is not whole yet, or is none and stays so whatever follows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline::fuzzing::{greet, greeting};
use moorline::{Application, Status};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&repaired(bytes));
});

/// A greeting of the right form with these contents, which nobody would guess for its checksum.
fn repaired(contents: &[u8]) -> Vec<u8> {
    let (fixed, name) = contents.split_at(contents.len().min(10));
    let name = &name[..name.len().min(255)];
    let mut greeting = b"MOOR\0\x01".to_vec();
    greeting.extend(fixed);
    greeting.resize(16, 0);
    greeting.push(name.len() as u8);
    greeting.extend(name);
    let check = crc_fast::crc32_iscsi(&greeting);
    greeting.extend(check.to_be_bytes());
    greeting
}

fn check(bytes: &[u8]) {
    let whole = greeting(bytes);
    if let Ok(Some((length, again))) = &whole {
        // The two reserved bytes are not looked at, and sent as zero.
        let same =
            |place: &usize| bytes[*place] == again[*place] || (6..8).contains(place) || *place >= length - 4;
        assert!(
            again.len() == *length && (0..*length).all(|place| same(&place)),
            "it is sent otherwise than it came"
        );
    }
    for length in 0..bytes.len() {
        match (greeting(&bytes[..length]), &whole) {
            (Err(refused), whole) => {
                assert_eq!(whole.as_ref().err(), Some(&refused), "it was refused too early")
            }
            (Ok(Some(read)), whole) => assert_eq!(whole.as_ref(), Ok(&Some(read)), "more bytes changed it"),
            (Ok(None), _) => {}
        }
    }
    let ours = Application { name: "fuzz".to_owned(), version: 1 };
    if let Some(status) = greet(&ours, 1000, bytes) {
        assert!([Status::Ok, Status::Mismatch].contains(&status));
    }
}
