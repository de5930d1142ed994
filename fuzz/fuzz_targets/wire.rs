//! Any bytes on the socket between tick and supervisor: no panic, nothing allocated by a length that lies, and whatever is
//! a message reads back as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickward::executor::reads_back;

fuzz_target!(|bytes: &[u8]| assert!(reads_back(bytes)));
