//! The C ABI, called by several threads with any handles, lengths, options and numbers, in any order. Only what C cannot get wrong
//! without being wrong about its own memory is right: buffers are as long as is said, and descriptors are the caller's.
#![no_main]

mod calls;
mod run;

use calls::Call;
use libfuzzer_sys::fuzz_target;
use run::Run;

fuzz_target!(init: run::begin(), |run: Run<Call>| run.perform());
