//! How rules, signals and the model are combined; how well the model judges is tested in `tests/it/rules.rs`.

use crate::classify::rules::decide::{Decision, FailureFacts, Layer, MatchedText, Rules};
use crate::classify::rules::parse::Rule;
use crate::model::class::{Class, RuleKind};

fn failed(message: &str) -> FailureFacts<'_> {
    FailureFacts { message, ..FailureFacts::default() }
}

fn user_rule(text: &str) -> Vec<Rule> {
    #[derive(serde::Deserialize)]
    struct RulesFixture {
        rule: Vec<Rule>,
    }
    toml::from_str::<RulesFixture>(text).unwrap().rule
}

#[test]
fn a_team_s_rule_goes_first_and_reads_the_text_as_it_came() {
    let mine =
        user_rule("[[rule]]\nname = 'ours'\nmatch = 'timeout report\\.pdf'\nclass = 'config'\nrunbook = 'https://x'");
    let rules = Rules::shipped().with_user_rules(mine).unwrap();
    let decision = rules.classify(&failed("timeout report.pdf is password protected"));
    assert_eq!((decision.class, decision.rule, decision.runbook), (Class::Config, Some("ours"), Some("https://x")));
    assert_eq!((decision.layer, decision.probability), (Layer::Rule, 1.0));
    assert_eq!(rules.classify(&failed("other.pdf is password protected")).class, Class::PermanentInput);
}

#[test]
fn a_wrong_rule_is_named() {
    let problem = |text: &str| Rules::parse(text).unwrap_err().to_string();
    let bad = problem(
        "[[rule]]\nname = 'fine'\nmatch = 'x'\nclass = 'done'\n[[rule]]\nname = 'broken'\nmatch = ['y', '(z']\nclass = 'done'",
    );
    assert!(bad.contains("\"broken\"") && bad.contains("\"(z\"") && bad.contains("unclosed group"), "{bad}");
    assert!(problem("[[rule]]\nname = 'all'\nclass = 'done'").contains("no condition"));
    assert!(problem("[[rule]]\nname = 'a'\nkind = 'failed'\nclass = 'done'\n[[rule]]\nname = 'a'\nkind = 'failed'\nclass = 'done'").contains("two rules"));
    assert!(problem("[[rule]]\nname = 'a'\nmatsch = 'x'\nclass = 'done'").contains("unknown field `matsch`"));
    assert!(problem("[[rule]]\nname = 'a'\nmatch = 'x'\nclass = 'retry'").contains("unknown variant `retry`"));
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let text = "[[rule]]\nname = 'a'\nmatch = 'boom'\nunless = 'not boom'\nhttp = [500]\nkind = 'failed'\njob-type = 'parse'\ncode = 'X'\nskip-reason = 's'\nclass = 'done'";
    let rules = Rules::parse(text).unwrap();
    let all = FailureFacts {
        kind: RuleKind::Failed,
        message: "boom: HTTP 500",
        skip_reason: Some("s"),
        job_type: "parse",
        cause_code: Some("X"),
        ..FailureFacts::default()
    };
    let by_rule = |facts: FailureFacts<'_>| rules.classify(&facts).layer == Layer::Rule;
    assert!(by_rule(all));
    for other in [
        FailureFacts { kind: RuleKind::Skipped, ..all },
        FailureFacts { message: "boom: HTTP 502", ..all },
        FailureFacts { message: "bang: HTTP 500", ..all },
        FailureFacts { message: "not boom: HTTP 500", ..all },
        FailureFacts { message: "boom on page 500", ..all },
        FailureFacts { skip_reason: None, ..all },
        FailureFacts { job_type: "extract", ..all },
        FailureFacts { cause_code: Some("Y"), ..all },
    ] {
        assert!(!by_rule(other), "{other:?}");
    }
}

#[test]
fn the_underlying_cause_decides_over_a_generic_message() {
    let rules = Rules::shipped();
    let facts = FailureFacts { cause_text: Some("no data in file"), ..failed("Failed to parse this file") };
    let decision = rules.classify(&facts);
    assert_eq!((decision.class, decision.source), (Class::PermanentInput, MatchedText::CauseText));
    let facts = FailureFacts { cause_code: Some("PDF_IS_PROTECTED"), ..failed("Internal Server Error") };
    assert_eq!(rules.classify(&facts).source, MatchedText::CauseCode);
}

#[test]
fn skips_and_cancellations_are_decided_by_kind_and_reason() {
    let rules = Rules::shipped();
    let skipped = |reason| {
        rules.classify(&FailureFacts { kind: RuleKind::Skipped, skip_reason: Some(reason), ..failed("") }).class
    };
    assert_eq!(skipped("already_processed"), Class::Done);
    assert_eq!(skipped("size_limit_exceeded"), Class::PermanentInput);
    assert_eq!(skipped("something_new"), Class::Unknown);
    let cancelled = rules.classify(&FailureFacts { kind: RuleKind::Cancelled, ..failed("HTTP 503") });
    assert_eq!((cancelled.class, cancelled.layer), (Class::Cancelled, Layer::State));
    assert_eq!(rules.classify(&failed("")).layer, Layer::State);
}

#[test]
fn the_words_that_decided_are_those_of_the_message() {
    let rules = Rules::shipped();
    assert_eq!(rules.classify(&failed("HTTP 503")).why, ["HTTP 503"]);
    let message = "no healthy upstream for renderer-7, 12 pages left";
    let Decision { why, layer, probability, probabilities, .. } = rules.explain(&failed(message));
    assert_eq!(layer, Layer::Model);
    assert!(!why.is_empty() && why.iter().all(|words| message.contains(words.as_str())), "{why:?}");
    assert!((probabilities.iter().map(|(_, share)| share).sum::<f32>() - 1.0).abs() < 0.001);
    assert!(probabilities.iter().any(|(_, share)| *share == probability));
}
