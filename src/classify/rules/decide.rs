//! What may be done about a failure: a team's rules decide, then exact signals, then the learnt model.

use crate::classify::model::weights::{self, CLASSES, Probabilities};
use crate::classify::model::words::MaskedText;
use crate::classify::rules::costs::cheapest;
use crate::classify::rules::parse::{Rule, RuleFile, RulesError};
use crate::classify::rules::patterns::{CompiledRule, RuleText};
use crate::classify::rules::signals::{self, Signal, SignalKind};
use crate::model::class::{Class, RuleKind};

/// What is known about a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailureFacts<'a> {
    /// What happened to it.
    pub kind: RuleKind,
    /// The item's error message; empty when there is none.
    pub message: &'a str,
    /// The item's name, which says nothing about why it failed.
    pub item_name: Option<&'a str>,
    /// Why it was skipped, as the API says.
    pub skip_reason: Option<&'a str>,
    /// `parse`, `extract`, `classify`; empty when not known.
    pub job_type: &'a str,
    /// Error code of the underlying job, when it was looked up.
    pub cause_code: Option<&'a str>,
    /// Error message of the underlying job, when it was looked up.
    pub cause_text: Option<&'a str>,
}

/// Which text a decision was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedText {
    /// The item's message.
    Message,
    /// The underlying job's message.
    CauseText,
    /// The underlying job's code.
    CauseCode,
    /// The skip reason.
    SkipReason,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Layer {
    /// A `[[rule]]` of the team.
    Rule,
    /// An exact signal.
    Signal,
    /// The learnt model.
    Model,
    /// There was no text to decide by, or a state that needs none.
    State,
}

impl Layer {
    /// `rule`, `signal`, `model` or `state`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'r> {
    /// What may be done.
    pub class: Class,
    /// What decided.
    pub layer: Layer,
    /// The team's rule, or the kind of signal (`text`, `code`, `status`, `skip-reason`), or `model`; none if there was no text.
    pub rule: Option<&'r str>,
    /// The words that decided, strongest first; empty when none did. Those of the model are found by [`Rules::explain`] only.
    pub why: Vec<String>,
    /// Where those words stand.
    pub source: MatchedText,
    /// How likely the class is right; 1 for rules and exact signals, 0 if there was no text.
    pub probability: f32,
    /// The probability of each class, likeliest first; empty unless the model decided.
    pub probabilities: Vec<(Class, f32)>,
    /// Whether the wording hides the cause, so that job records are asked for it.
    pub generic: bool,
    /// The rule's link.
    pub runbook: Option<&'r str>,
    /// The rule's sentence.
    pub note: Option<&'r str>,
}

/// What decides, in order: a team's rules, exact signals, the learnt model.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<CompiledRule>,
}

/// Words shown for a decision of the model, at most.
const REASONS: usize = 3;

/// The layer's name where the model decided.
pub(crate) const MODEL: &str = "model";

/// A text of a failure, read.
struct SourceText<'f> {
    source: MatchedText,
    text: &'f str,
    read: MaskedText,
}

impl Rules {
    /// Reads and compiles a team's rules.
    ///
    /// # Errors
    /// When the text is no TOML, has unknown keys, or a rule is wrong; the error names the rule.
    pub fn parse(text: &str) -> Result<Rules, RulesError> {
        let file: RuleFile = toml::from_str(text)?;
        Rules::shipped().with_user_rules(file.rule)
    }

    /// What decides where a team has no rules.
    pub fn shipped() -> Rules {
        Rules { rules: Vec::new() }
    }

    /// A fingerprint of the shipped table and model.
    pub(crate) fn shipped_fingerprint() -> String {
        format!("{:x?} {}", weights::shipped().trained_on, signals::TABLE)
    }

    /// The same with a team's rules before those that it has.
    ///
    /// # Errors
    /// When one of the team's rules is wrong; the error names it.
    pub fn with_user_rules(self, rules: Vec<Rule>) -> Result<Rules, RulesError> {
        let mut all: Vec<CompiledRule> = Vec::with_capacity(rules.len());
        for rule in rules {
            if all.iter().any(|other| other.rule.name == rule.name) {
                return Err(RulesError::DuplicateName(rule.name));
            }
            all.push(CompiledRule::new(rule)?);
        }
        all.extend(self.rules);
        Ok(Rules { rules: all })
    }

    /// The team's rules in the order they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// As [`Rules::classify`], with the words that made the model decide, which take longer to find than the class.
    pub fn explain(&self, facts: &FailureFacts<'_>) -> Decision<'_> {
        let decision = self.classify(facts);
        if decision.layer != Layer::Model {
            return decision;
        }
        let texts = read(facts);
        let text = texts.into_iter().find(|text| text.source == decision.source);
        let why = text.map(|text| reasons(&text, decision.class)).unwrap_or_default();
        Decision { why, ..decision }
    }

    /// The class of a failure.
    ///
    /// A rule of the team decides first, by any of the texts; then an exact signal in any of them; then the model. The code and
    /// the message of the underlying job come before the item's message, unless they leave the class open.
    pub fn classify(&self, facts: &FailureFacts<'_>) -> Decision<'_> {
        let texts = read(facts);
        if let Some(decision) = self.by_rule(facts, &texts) {
            return decision;
        }
        match facts.kind {
            RuleKind::Cancelled => return Decision { probability: 1.0, ..undecided(Class::Cancelled) },
            RuleKind::Overdue | RuleKind::Missing => return undecided(Class::Unknown),
            RuleKind::Failed | RuleKind::Skipped => {}
        }
        let known = facts.skip_reason.filter(|_| facts.kind == RuleKind::Skipped);
        if let Some(signal) = known.and_then(|reason| signals::shipped().skip_reason(reason)) {
            return by_signal(signal, MatchedText::SkipReason);
        }
        // What an exact signal leaves open, the model is not asked about.
        let signals: Vec<Option<Signal>> = texts.iter().map(|text| signals::shipped().find(&text.read)).collect();
        let exact =
            texts.iter().zip(&signals).filter_map(|(text, signal)| Some(by_signal(signal.clone()?, text.source)));
        let unread = texts.iter().zip(&signals).filter(|(_, signal)| signal.is_none());
        let mut open = None;
        for decision in exact.chain(unread.map(|(text, _)| by_model(text))) {
            if decision.class != Class::Unknown {
                return decision;
            }
            open = open.or(Some(decision));
        }
        open.unwrap_or_else(|| undecided(Class::Unknown))
    }

    fn by_rule<'r>(&'r self, facts: &FailureFacts<'_>, texts: &[SourceText<'_>]) -> Option<Decision<'r>> {
        if self.rules.is_empty() {
            return None;
        }
        // A rule without a pattern is about the message, be there one or not.
        let message = texts.iter().filter(|text| text.source == MatchedText::Message);
        let others = texts.iter().filter(|text| text.source != MatchedText::Message);
        let ordered: Vec<&SourceText<'_>> = message.chain(others).collect();
        let seen: Vec<RuleText<'_>> =
            ordered.iter().map(|text| RuleText { text: text.text, unmasked: text.read.unmasked_words() }).collect();
        self.rules.iter().find_map(|compiled| {
            let rule = &compiled.rule;
            let satisfied = if conditions_hold(rule, facts) { compiled.satisfied_by(&seen) } else { None };
            satisfied.map(|(at, why)| Decision {
                layer: Layer::Rule,
                rule: Some(&rule.name),
                why: why.into_iter().collect(),
                source: ordered.get(at).map_or(MatchedText::Message, |text| text.source),
                probability: 1.0,
                generic: rule.generic || rule.class == Class::Unknown,
                runbook: rule.runbook.as_deref(),
                note: rule.note.as_deref(),
                ..undecided(rule.class)
            })
        })
    }
}

/// The texts of a failure, those that say most first.
fn read<'f>(facts: &FailureFacts<'f>) -> Vec<SourceText<'f>> {
    let all = [
        (MatchedText::CauseCode, facts.cause_code.unwrap_or_default()),
        (MatchedText::CauseText, facts.cause_text.unwrap_or_default()),
        (MatchedText::Message, facts.message),
        (MatchedText::SkipReason, facts.skip_reason.unwrap_or_default()),
    ];
    let said = all.into_iter().filter(|(_, text)| !text.trim().is_empty());
    said.map(|(source, text)| SourceText { source, text, read: MaskedText::read(text, facts.item_name) }).collect()
}

/// A decision without a text.
fn undecided<'r>(class: Class) -> Decision<'r> {
    Decision {
        class,
        layer: Layer::State,
        rule: None,
        why: Vec::new(),
        source: MatchedText::Message,
        probability: 0.0,
        probabilities: Vec::new(),
        generic: class == Class::Unknown,
        runbook: None,
        note: None,
    }
}

/// Whether what decided, and what it came to, leave open what lies behind a message: job records are asked for it.
/// A code or a status names its cause.
pub(crate) fn is_vague(class: &str, rule: Option<&str>) -> bool {
    let names_it = [SignalKind::Code.into(), SignalKind::Status.into()];
    class == Class::Unknown.name()
        || class == Class::Transient.name() && !rule.is_some_and(|rule| names_it.contains(&rule))
}

fn by_signal<'r>(signal: Signal, source: MatchedText) -> Decision<'r> {
    let rule = signal.kind.into();
    Decision {
        layer: Layer::Signal,
        rule: Some(rule),
        why: vec![signal.words],
        source,
        probability: 1.0,
        generic: is_vague(signal.class.name(), Some(rule)),
        ..undecided(signal.class)
    }
}

fn by_model<'r>(text: &SourceText<'_>) -> Decision<'r> {
    let features = text.read.features();
    let probabilities = weights::shipped().probabilities(&features);
    let (class, probability) = cheapest(&probabilities);
    Decision {
        layer: Layer::Model,
        rule: Some(MODEL),
        source: text.source,
        probability,
        probabilities: ranked(&probabilities),
        generic: is_vague(class.name(), Some(MODEL)),
        ..undecided(class)
    }
}

fn reasons(text: &SourceText<'_>, class: Class) -> Vec<String> {
    let reasons = weights::shipped().reasons(&text.read, &text.read.features(), class, REASONS);
    reasons.into_iter().map(str::to_owned).collect()
}

fn ranked(probabilities: &Probabilities) -> Vec<(Class, f32)> {
    let mut ranked: Vec<(Class, f32)> = CLASSES.into_iter().zip(*probabilities).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn conditions_hold(rule: &Rule, facts: &FailureFacts<'_>) -> bool {
    rule.kind.is_none_or(|kind| kind == facts.kind)
        && rule.job_type.as_deref().is_none_or(|job_type| job_type == facts.job_type)
        && rule.skip_reason.as_deref().is_none_or(|reason| Some(reason) == facts.skip_reason)
        && rule.code.as_deref().is_none_or(|code| Some(code) == facts.cause_code)
}
