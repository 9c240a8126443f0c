//! Compiles rules and decides with them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::class::{Class, Kind};
use super::http::{StatusSpan, statuses};
use super::mask::mask_data;
use super::parse::{Reads, Rule, RuleFile, RulesError};

/// Enough for hundreds of rules; one pattern beyond it is refused instead of eating the machine.
const SIZE_LIMIT: usize = 64 << 20;

/// What is known about a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Failed, skipped or cancelled.
    pub kind: Kind,
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
pub enum Source {
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
    pub source: Source,
    /// Whether the wording hides the cause (see [`Rule::generic`]); true for unknown.
    pub generic: bool,
    /// The rule's link.
    pub runbook: Option<&'r str>,
    /// The rule's sentence.
    pub note: Option<&'r str>,
}

#[derive(Debug)]
struct Compiled {
    rule: Rule,
    reads: Reads,
    /// Finds the words to show; compiled when the rule first decides.
    span: OnceLock<Option<Regex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Match,
    Unless,
}

/// All patterns of one way of reading, with the rule and role of each: a message is scanned once, not once per rule.
#[derive(Debug)]
struct PatternSet {
    set: RegexSet,
    owners: Vec<(usize, Role)>,
}

/// Ordered rules, ready to decide.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Compiled>,
    text: PatternSet,
    /// Compiled when the first message is to be classified: it takes a tenth of a second and 50 MB, which a service that has
    /// nothing to classify need not have.
    meaning: OnceLock<PatternSet>,
}

struct Reading<'f> {
    source: Source,
    original: &'f str,
    masked: Cow<'f, str>,
    statuses: Vec<StatusSpan>,
    hits: Vec<(usize, Role)>,
}

impl Rules {
    /// Reads and compiles rules.
    ///
    /// # Errors
    /// When the text is no TOML, has unknown keys, or a rule is wrong; the error names the rule.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: RuleFile = toml::from_str(text)?;
        let rules = Self::from_compiled(compile_all(file.rule, file.reads)?)?;
        let meaning = PatternSet::new(&rules.rules, Reads::Meaning)?;
        Ok(Self { meaning: OnceLock::from(meaning), ..rules })
    }

    /// The same for rules whose patterns are known to compile; they do so when they are first needed.
    ///
    /// # Errors
    /// As [`Rules::parse`], but for the patterns.
    pub(super) fn parse_trusted(text: &str) -> Result<Self, RulesError> {
        let file: RuleFile = toml::from_str(text)?;
        Self::from_compiled(compile_all(file.rule, file.reads)?)
    }

    /// The same rules with a team's own before them.
    ///
    /// # Errors
    /// When one of the team's rules is wrong; the error names it.
    pub fn with_user_rules(self, rules: Vec<Rule>) -> Result<Self, RulesError> {
        let mut compiled = compile_all(rules, Reads::Text)?;
        compiled.extend(self.rules);
        Self::from_compiled(compiled)
    }

    /// Every rule in the order they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The class of a failure: the first rule whose conditions all hold, else unknown.
    pub fn classify<'f>(&self, facts: &Facts<'f>) -> Decision<'_, 'f> {
        let readings = self.read(facts);
        for (index, compiled) in self.rules.iter().enumerate() {
            if !conditions_hold(&compiled.rule, facts) {
                continue;
            }
            if let Some((source, why)) = texts_hold(compiled, index, &readings) {
                return compiled.decision(source, why);
            }
        }
        Decision {
            class: Class::Unknown,
            rule: None,
            why: None,
            source: Source::Message,
            generic: true,
            runbook: None,
            note: None,
        }
    }

    fn from_compiled(rules: Vec<Compiled>) -> Result<Self, RulesError> {
        let text = PatternSet::new(&rules, Reads::Text)?;
        Ok(Self { rules, text, meaning: OnceLock::new() })
    }

    fn meaning(&self) -> &PatternSet {
        self.meaning.get_or_init(|| {
            PatternSet::new(&self.rules, Reads::Meaning)
                .expect("the shipped patterns compile, as a test holds, and all others did when they were read")
        })
    }

    fn read<'f>(&self, facts: &Facts<'f>) -> Vec<Reading<'f>> {
        [
            (Source::Message, Some(facts.message)),
            (Source::CauseText, facts.cause_text),
            (Source::CauseCode, facts.cause_code),
            (Source::SkipReason, facts.skip_reason),
        ]
        .into_iter()
        .filter_map(|(source, text)| text.map(|text| (source, text)))
        .filter(|(source, text)| *source == Source::Message || !text.is_empty())
        .map(|(source, original)| {
            let masked = mask_data(original);
            let statuses = statuses(&masked);
            let hits = self.text.hits(original).chain(self.meaning().hits(&masked)).collect();
            Reading { source, original, masked, statuses, hits }
        })
        .collect()
    }
}

impl Compiled {
    fn decision<'r, 'f>(&'r self, source: Source, why: Option<&'f str>) -> Decision<'r, 'f> {
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

fn conditions_hold(rule: &Rule, facts: &Facts<'_>) -> bool {
    rule.kind.is_none_or(|kind| kind == facts.kind)
        && rule.job_type.as_deref().is_none_or(|job_type| job_type == facts.job_type)
        && rule.skip_reason.as_deref().is_none_or(|reason| Some(reason) == facts.skip_reason)
        && rule.code.as_deref().is_none_or(|code| Some(code) == facts.cause_code)
}

/// The text that satisfies `match`, `unless` and `http` together, and the words that did.
fn texts_hold<'f>(compiled: &Compiled, index: usize, readings: &[Reading<'f>]) -> Option<(Source, Option<&'f str>)> {
    let rule = &compiled.rule;
    if rule.patterns.is_empty() && rule.http.is_empty() {
        return Some((Source::Message, None));
    }
    readings.iter().find_map(|reading| {
        if reading.hits.contains(&(index, Role::Unless)) {
            return None;
        }
        let status = reading.statuses.iter().find(|found| rule.http.contains(&found.status));
        if !rule.http.is_empty() && status.is_none() {
            return None;
        }
        if rule.patterns.is_empty() {
            return Some((reading.source, reading.words(status?.span.clone())));
        }
        let matched = reading.hits.contains(&(index, Role::Match));
        matched.then(|| (reading.source, compiled.find(reading).and_then(|span| reading.words(span))))
    })
}

impl Compiled {
    fn find(&self, reading: &Reading<'_>) -> Option<Range<usize>> {
        let haystack = match self.reads {
            Reads::Text => reading.original,
            Reads::Meaning => &reading.masked,
        };
        let span = self.span.get_or_init(|| build(&joined(&self.rule.patterns, self.reads), self.reads).ok());
        span.as_ref()?.find(haystack.as_bytes()).map(|found| found.range())
    }
}

impl<'f> Reading<'f> {
    /// The original text of a span; a span that cuts a character is widened.
    fn words(&self, span: Range<usize>) -> Option<&'f str> {
        let start = (0..=span.start).rev().find(|at| self.original.is_char_boundary(*at))?;
        let end = (span.end..=self.original.len()).find(|at| self.original.is_char_boundary(*at))?;
        self.original.get(start..end)
    }
}

fn compile_all(rules: Vec<Rule>, reads: Reads) -> Result<Vec<Compiled>, RulesError> {
    let mut compiled: Vec<Compiled> = Vec::with_capacity(rules.len());
    for rule in rules {
        rule.check()?;
        if compiled.iter().any(|other| other.rule.name == rule.name) {
            return Err(RulesError::DuplicateName(rule.name));
        }
        compiled.push(Compiled { rule, reads, span: OnceLock::new() });
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

fn joined(patterns: &[String], reads: Reads) -> String {
    patterns.iter().map(|pattern| format!("(?:{})", expand(pattern, reads))).collect::<Vec<_>>().join("|")
}

fn build(pattern: &str, reads: Reads) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(reads == Reads::Meaning).size_limit(SIZE_LIMIT).build()
}

impl PatternSet {
    fn new(rules: &[Compiled], reads: Reads) -> Result<Self, RulesError> {
        let mut patterns = Vec::new();
        let mut owners = Vec::new();
        for (index, compiled) in rules.iter().enumerate().filter(|(_, compiled)| compiled.reads == reads) {
            for (role, listed) in [(Role::Match, &compiled.rule.patterns), (Role::Unless, &compiled.rule.unless)] {
                if !listed.is_empty() {
                    patterns.push(joined(listed, reads));
                    owners.push((index, role));
                }
            }
        }
        let set = RegexSetBuilder::new(&patterns)
            .case_insensitive(reads == Reads::Meaning)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(SIZE_LIMIT)
            .build()
            .map_err(|whole| culprit(rules, reads).unwrap_or_else(|| RulesError::TooLarge(whole.to_string())))?;
        Ok(Self { set, owners })
    }

    fn hits(&self, haystack: &str) -> impl Iterator<Item = (usize, Role)> {
        self.set.matches(haystack.as_bytes()).into_iter().map(|at| self.owners[at])
    }
}

/// Only when all together do not compile, each alone, so that the error names the one that is wrong.
fn culprit(rules: &[Compiled], reads: Reads) -> Option<RulesError> {
    rules.iter().filter(|compiled| compiled.reads == reads).find_map(|compiled| {
        compiled.rule.patterns.iter().chain(&compiled.rule.unless).find_map(|pattern| {
            let problem = build(&expand(pattern, reads), reads).err()?;
            Some(RulesError::Pattern {
                rule: compiled.rule.name.clone(),
                pattern: pattern.clone(),
                problem: problem.to_string(),
            })
        })
    })
}
