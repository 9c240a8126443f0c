//! A team's rules, compiled, and the texts that satisfy them.

use regex::{Regex, RegexBuilder};

use crate::classify::rules::http::statuses;
use crate::classify::rules::parse::{Rule, RulesError};

/// Enough for any rule; one beyond it is refused instead of eating the machine.
const SIZE_LIMIT: usize = 64 << 20;

/// How much an automaton may remember of the messages it has seen.
const CACHE_LIMIT: usize = 2 << 20;

/// A text that rules look at.
pub(crate) struct RuleText<'f> {
    /// As it came.
    pub text: &'f str,
    /// Without names and quoted data, for statuses.
    pub unmasked: String,
}

/// One rule and its patterns: each list is one automaton.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// The rule as written.
    pub rule: Rule,
    matching: Regex,
    unless: Regex,
}

impl CompiledRule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// It has no condition, or a pattern that is none; the error names it.
    pub(crate) fn new(rule: Rule) -> Result<CompiledRule, RulesError> {
        rule.check()?;
        let regex = |list: &[String]| build(&join(list)).map_err(|whole| bad_pattern(&rule.name, list, &whole));
        let (matching, unless) = (regex(&rule.patterns)?, regex(&rule.unless)?);
        Ok(CompiledRule { rule, matching, unless })
    }

    /// The position of the text that satisfies `match`, `unless` and `http` together, and the words that did.
    pub(crate) fn satisfied_by<'f>(&self, texts: &[RuleText<'f>]) -> Option<(usize, Option<String>)> {
        let rule = &self.rule;
        if rule.patterns.is_empty() && rule.http.is_empty() {
            return Some((0, None));
        }
        texts.iter().enumerate().find_map(|(at, RuleText { text, unmasked })| {
            let status = statuses(unmasked).into_iter().find(|found| rule.http.contains(&found.status));
            if !rule.http.is_empty() && status.is_none() {
                return None;
            }
            let words = if rule.patterns.is_empty() {
                unmasked[status?.span].to_owned()
            } else {
                self.matching.find(text)?.as_str().to_owned()
            };
            let is_denied = !rule.unless.is_empty() && self.unless.is_match(text);
            (!is_denied).then_some((at, Some(words)))
        })
    }
}

/// The pattern of a list that does not compile; each does alone when they are only too large together.
fn bad_pattern(rule: &str, list: &[String], whole: &regex::Error) -> RulesError {
    let wrong = list.iter().find_map(|pattern| Some((pattern, build(pattern).err()?)));
    wrong.map_or_else(
        || RulesError::TooLarge(whole.to_string()),
        |(pattern, problem)| RulesError::Pattern {
            rule: rule.to_owned(),
            pattern: pattern.clone(),
            problem: problem.to_string(),
        },
    )
}

fn join(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|")
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).dfa_size_limit(CACHE_LIMIT).build()
}
