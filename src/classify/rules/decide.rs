//! Compiles rules and decides with them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use crate::classify::rules::http::{StatusSpan, statuses};
use crate::classify::rules::mask::mask_data;
use crate::classify::rules::parse::{Reads, Rule, RuleFile, RulesError};
use crate::model::class::{Class, RuleKind};

/// Enough for any rule; one beyond it is refused instead of eating the machine.
const SIZE_LIMIT: usize = 64 << 20;

/// How much an automaton may remember of the messages it has seen. With four times as much judging is twice as fast, and all
/// of them together could take a gigabyte.
const CACHE_LIMIT: usize = 2 << 20;

/// What is known about a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailureFacts<'a> {
    /// Failed, skipped or cancelled.
    pub kind: RuleKind,
    /// The item's error message; empty when there is none.
    pub message: &'a str,
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

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'r, 'f> {
    /// What may be done.
    pub class: Class,
    /// The rule that decided; `None` when no rule matched and the class is therefore unknown.
    pub rule: Option<&'r str>,
    /// The words that decided; `None` when the rule looks at no text.
    pub why: Option<&'f str>,
    /// Where those words stand.
    pub source: MatchedText,
    /// Whether the wording hides the cause (see [`Rule::generic`]); true for unknown.
    pub generic: bool,
    /// The rule's link.
    pub runbook: Option<&'r str>,
    /// The rule's sentence.
    pub note: Option<&'r str>,
}

/// One rule and its patterns: each list is one automaton, compiled when a message first comes to it.
///
/// One automaton of all rules would be scanned but once, but it would have a new state for nearly every byte of every
/// message and soon fill any memory it may take.
#[derive(Debug)]
struct CompiledRule {
    rule: Rule,
    reads: Reads,
    matching: OnceLock<Regex>,
    unless: OnceLock<Regex>,
}

/// Ordered rules, ready to decide.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<CompiledRule>,
}

/// So many bytes of the beginning and of the end of a text are read for their meaning: what failed stands there, and what
/// one text may cost must have an end.
const NEAR_AN_END: usize = 8 << 10;

/// A text, or one end of it.
struct TextExcerpt<'f> {
    source: MatchedText,
    /// The whole text.
    text: &'f str,
    /// What is read for its meaning.
    part: &'f str,
    masked: Cow<'f, str>,
    statuses: Vec<StatusSpan>,
}

impl Rules {
    /// Reads and compiles rules.
    ///
    /// # Errors
    /// When the text is no TOML, has unknown keys, or a rule is wrong; the error names the rule.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let rules = Self::parse_trusted(text)?;
        rules.rules.iter().try_for_each(CompiledRule::compile)?;
        Ok(rules)
    }

    /// The same for rules whose patterns are known to compile; they do so when they are first needed.
    ///
    /// # Errors
    /// As [`Rules::parse`], but for the patterns.
    pub(crate) fn parse_trusted(text: &str) -> Result<Self, RulesError> {
        let file: RuleFile = toml::from_str(text)?;
        Ok(Self { rules: checked(file.rule, file.reads)? })
    }

    /// The same rules with a team's own before them.
    ///
    /// # Errors
    /// When one of the team's rules is wrong; the error names it.
    pub fn with_user_rules(self, rules: Vec<Rule>) -> Result<Self, RulesError> {
        let mut all = checked(rules, Reads::Text)?;
        all.iter().try_for_each(CompiledRule::compile)?;
        all.extend(self.rules);
        Ok(Self { rules: all })
    }

    /// Every rule in the order they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The class of a failure: the first rule whose conditions all hold, else unknown.
    pub fn classify<'f>(&self, facts: &FailureFacts<'f>) -> Decision<'_, 'f> {
        let readings = read(facts);
        for compiled in &self.rules {
            if !conditions_hold(&compiled.rule, facts) {
                continue;
            }
            if let Some((source, why)) = compiled.texts_hold(&readings) {
                return compiled.decision(source, why);
            }
        }
        Decision {
            class: Class::Unknown,
            rule: None,
            why: None,
            source: MatchedText::Message,
            generic: true,
            runbook: None,
            note: None,
        }
    }
}

fn read<'f>(facts: &FailureFacts<'f>) -> Vec<TextExcerpt<'f>> {
    [
        (MatchedText::Message, Some(facts.message)),
        (MatchedText::CauseText, facts.cause_text),
        (MatchedText::CauseCode, facts.cause_code),
        (MatchedText::SkipReason, facts.skip_reason),
    ]
    .into_iter()
    .filter_map(|(source, text)| text.map(|text| (source, text)))
    .filter(|(source, text)| *source == MatchedText::Message || !text.is_empty())
    .flat_map(|(source, text)| ends(text).map(move |part| (source, text, part)))
    .map(|(source, text, part)| {
        let masked = mask_data(part);
        let statuses = statuses(&masked);
        TextExcerpt { source, text, part, masked, statuses }
    })
    .collect()
}

/// A text of usual length, or the beginning and the end of a longer one.
fn ends(text: &str) -> impl Iterator<Item = &str> {
    let (head, tail) = match text.len() <= 2 * NEAR_AN_END {
        true => (text, None),
        false => (
            &text[..text.floor_char_boundary(NEAR_AN_END)],
            Some(&text[text.ceil_char_boundary(text.len() - NEAR_AN_END)..]),
        ),
    };
    std::iter::once(head).chain(tail)
}

impl CompiledRule {
    fn decision<'r, 'f>(&'r self, source: MatchedText, why: Option<&'f str>) -> Decision<'r, 'f> {
        Decision {
            class: self.rule.class,
            rule: Some(&self.rule.name),
            why,
            source,
            generic: self.rule.generic || self.rule.class == Class::Unknown,
            runbook: self.rule.runbook.as_deref(),
            note: self.rule.note.as_deref(),
        }
    }
}

fn conditions_hold(rule: &Rule, facts: &FailureFacts<'_>) -> bool {
    rule.kind.is_none_or(|kind| kind == facts.kind)
        && rule.job_type.as_deref().is_none_or(|job_type| job_type == facts.job_type)
        && rule.skip_reason.as_deref().is_none_or(|reason| Some(reason) == facts.skip_reason)
        && rule.code.as_deref().is_none_or(|code| Some(code) == facts.cause_code)
}

impl CompiledRule {
    fn compile(&self) -> Result<(), RulesError> {
        for (list, slot) in [(&self.rule.patterns, &self.matching), (&self.rule.unless, &self.unless)] {
            let regex = build(&join_patterns(list, self.reads), self.reads)
                .map_err(|whole| self.find_bad_pattern(list, &whole))?;
            slot.get_or_init(|| regex);
        }
        Ok(())
    }

    /// The pattern of a list that does not compile; each does alone when they are only too large together.
    fn find_bad_pattern(&self, list: &[String], whole: &regex::Error) -> RulesError {
        let wrong =
            list.iter().find_map(|pattern| Some((pattern, build(&expand(pattern, self.reads), self.reads).err()?)));
        wrong.map_or_else(
            || RulesError::TooLarge(whole.to_string()),
            |(pattern, problem)| RulesError::Pattern {
                rule: self.rule.name.clone(),
                pattern: pattern.clone(),
                problem: problem.to_string(),
            },
        )
    }

    /// The text that satisfies `match`, `unless` and `http` together, and the words that did.
    fn texts_hold<'f>(&self, readings: &[TextExcerpt<'f>]) -> Option<(MatchedText, Option<&'f str>)> {
        let rule = &self.rule;
        if rule.patterns.is_empty() && rule.http.is_empty() {
            return Some((MatchedText::Message, None));
        }
        readings.iter().find_map(|reading| {
            let status = reading.statuses.iter().find(|found| rule.http.contains(&found.status));
            if !rule.http.is_empty() && status.is_none() {
                return None;
            }
            let (span, within) = if rule.patterns.is_empty() {
                (status?.span.clone(), reading.part)
            } else {
                self.find(&self.matching, &rule.patterns, reading)?
            };
            let denied = !rule.unless.is_empty() && self.find(&self.unless, &rule.unless, reading).is_some();
            (!denied).then(|| (reading.source, span_text(within, span)))
        })
    }

    /// Where one of these patterns is found, and in which text.
    fn find<'f>(
        &self,
        slot: &OnceLock<Regex>,
        list: &[String],
        reading: &TextExcerpt<'f>,
    ) -> Option<(Range<usize>, &'f str)> {
        let (haystack, within): (&str, &'f str) = match self.reads {
            Reads::Text => (reading.text, reading.text),
            Reads::Meaning => (&reading.masked, reading.part),
        };
        let regex = slot.get_or_init(|| {
            build(&join_patterns(list, self.reads), self.reads)
                .expect("the shipped patterns compile, as a test holds, and all others did when they were read")
        });
        regex.find(haystack.as_bytes()).map(|found| (found.range(), within))
    }
}

/// The text of a span; a span that cuts a character is widened.
fn span_text(text: &str, span: Range<usize>) -> Option<&str> {
    text.get(text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end))
}

fn checked(rules: Vec<Rule>, reads: Reads) -> Result<Vec<CompiledRule>, RulesError> {
    let mut compiled: Vec<CompiledRule> = Vec::with_capacity(rules.len());
    for rule in rules {
        rule.check()?;
        if compiled.iter().any(|other| other.rule.name == rule.name) {
            return Err(RulesError::DuplicateName(rule.name));
        }
        compiled.push(CompiledRule { rule, reads, matching: OnceLock::new(), unless: OnceLock::new() });
    }
    Ok(compiled)
}

/// In a rule that reads meaning a blank stands for any run of blanks, `_` and `-`, or none: `rate limit` is also `RATE_LIMIT` and `RateLimit`;
/// `…` stands for anything up to the end of the sentence.
///
/// A counted gap would give the automaton a new state for every byte of every message, so there is none;
/// word characters are those of western languages and word boundaries those of ASCII for the same reason.
fn expand(pattern: &str, reads: Reads) -> String {
    match reads {
        Reads::Text => pattern.to_owned(),
        Reads::Meaning => pattern
            .replace(r"\w", "[0-9A-Za-z_À-ÿ]")
            .replace(r"\b", r"(?-u:\b)")
            .replace('…', r"(?-u:(?:[^.\n]|\.[^\s])*)")
            .replace(' ', r"[ \t\r\n_-]*"),
    }
}

fn join_patterns(patterns: &[String], reads: Reads) -> String {
    patterns.iter().map(|pattern| format!("(?:{})", expand(pattern, reads))).collect::<Vec<_>>().join("|")
}

fn build(pattern: &str, reads: Reads) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(reads == Reads::Meaning)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::rules::shipped::shipped_rules;

    #[test]
    fn a_long_text_is_read_at_its_beginning_and_at_its_end() {
        let rules = shipped_rules().unwrap();
        let filler = "é".repeat(NEAR_AN_END);
        let class = |message: &str| rules.classify(&FailureFacts { message, ..FailureFacts::default() }).class;
        assert_eq!(class(&format!("This PDF is password protected\n{filler}{filler}")), Class::PermanentInput);
        let at_the_end = format!("{filler}{filler}\n503 Service Unavailable");
        let decision = rules.classify(&FailureFacts { message: &at_the_end, ..FailureFacts::default() });
        assert_eq!((decision.class, decision.why), (Class::Transient, Some("Service Unavailable")));
        assert_eq!(class(&format!("{filler}\nThis PDF is password protected\n{filler}")), Class::Unknown);
        let own = "[[rule]]\nname = \"own\"\nmatch = [\"password protected\"]\nclass = \"config\"";
        let message = format!("{filler}\nThis PDF is password protected\n{filler}");
        let decision =
            Rules::parse(own).unwrap().classify(&FailureFacts { message: &message, ..FailureFacts::default() }).class;
        assert_eq!(decision, Class::Config, "a rule of one's own reads all of it");
    }
}
