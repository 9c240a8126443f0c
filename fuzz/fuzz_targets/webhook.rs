//! Whatever is posted to the webhook: only the right signature of the very body is good.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llama_triage::internals::service::fuzz::{is_taken, signature};

fuzz_target!(|input: (&[u8], &str)| {
    let (body, given) = input;
    let right = signature(body, "secret");
    assert!(is_taken(body, &right, "secret"));
    assert!(!is_taken(body, &right, "other"));
    assert_eq!(
        is_taken(body, given, "secret"),
        given.trim().eq_ignore_ascii_case(&right) && given.trim().starts_with("sha256=")
    );
});
