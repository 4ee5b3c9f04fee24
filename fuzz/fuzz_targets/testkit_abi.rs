//! As `c_abi`, with the test kit's part of the C ABI, whose faults, clocks, fixtures and proxies stand between what the other part makes.
#![no_main]

mod calls;
mod run;
mod testkit_calls;

use libfuzzer_sys::fuzz_target;
use run::Run;
use testkit_calls::Call;

fuzz_target!(init: run::begin(), |run: Run<Call>| run.perform());
