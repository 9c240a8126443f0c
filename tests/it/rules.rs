//! The shipped rules against messages in many wordings, languages and with traps.

use llama_triage::internals::classify::{FailureFacts, shipped_rules};

#[test]
fn every_wording_gets_its_class() {
    let rules = shipped_rules().unwrap();
    let cases = include_str!("rules.txt").lines().filter(|line| !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in cases {
        let (class, message) = line.split_once('|').expect("a case is class|message");
        let message = message.replace("\\n", "\n");
        let decision = rules.classify(&FailureFacts { message: &message, ..FailureFacts::default() });
        count += 1;
        if decision.class.name() != class {
            wrong.push(format!(
                "{message:?}\n    expected {class}, got {} by {:?} because of {:?}",
                decision.class, decision.rule, decision.why
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
