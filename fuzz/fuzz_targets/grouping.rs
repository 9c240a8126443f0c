//! Whatever messages say: each gets a group, the same text gets the same group again, and stored groups come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llama_triage::internals::grouping::{Grouper, Subject};
use llama_triage::internals::model::{Kind, mask_secrets};

fn subject(message: &str) -> Subject<'_> {
    Subject { kind: Kind::Failed, job_type: "parse", skip_reason: None, message: Some(message), item_name: None }
}

fuzz_target!(|text: &str| {
    let mut grouper = Grouper::new();
    let messages: Vec<&str> = text.split('\u{1}').collect();
    for message in &messages {
        grouper.assign(&subject(message));
    }
    let ids: Vec<String> = messages.iter().map(|message| again(&mut grouper, message)).collect();
    let mut restored = Grouper::restore(grouper.take_changes()).expect("what was stored can be taken up");
    for (message, id) in messages.iter().zip(&ids) {
        assert_eq!(&again(&mut restored, message), id, "{message:?}");
        restored.explain(&subject(message));
        mask_secrets(message);
    }
});

fn again(grouper: &mut Grouper, message: &str) -> String {
    let group = grouper.assign(&subject(message));
    let group = grouper.resolve(group);
    assert!(!grouper.title(group).is_empty());
    grouper.id(group).to_string()
}
