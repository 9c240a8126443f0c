//! Whatever a configuration says: it is read, or its mistakes are reported; never neither.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llama_triage::internals::config::load;

fuzz_target!(|text: &str| {
    if let Err(mistakes) = load::parse(text) {
        assert!(!mistakes.is_empty());
        for mistake in mistakes {
            assert!(!mistake.text.is_empty());
        }
    }
});
