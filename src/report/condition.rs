//! `--fail-if 'open>0'`: a measure of the answer against a number.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Named numbers of an answer, over all rows that match, whatever `--limit` shows.
pub(crate) type AnswerMeasures = BTreeMap<&'static str, f64>;

/// A comparison such as `open>0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    name: String,
    operator: Operator,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    More,
    AtLeast,
    Less,
    AtMost,
    Equal,
    Other,
}

/// What is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// It is no comparison.
    #[error("{0:?} is not a valid condition: use for example open>0, dead>=1, rows!=0")]
    Form(String),
    /// The answer has no such measure.
    #[error("unknown measure {name:?}; allowed: {known}")]
    Name {
        /// What was asked.
        name: String,
        /// What could be asked.
        known: String,
    },
}

impl Condition {
    /// Whether it holds.
    ///
    /// # Errors
    /// [`BadCondition::Name`] if the answer has no such measure.
    pub fn holds(&self, measures: &AnswerMeasures) -> Result<bool, BadCondition> {
        let value = *measures.get(self.name.as_str()).ok_or_else(|| {
            let known: Vec<&str> = measures.keys().copied().collect();
            BadCondition::Name { name: self.name.clone(), known: known.join(", ") }
        })?;
        Ok(match self.operator {
            Operator::More => value > self.number,
            Operator::AtLeast => value >= self.number,
            Operator::Less => value < self.number,
            Operator::AtMost => value <= self.number,
            Operator::Equal => value == self.number,
            Operator::Other => value != self.number,
        })
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = SIGNS.iter().find(|(_, operator)| *operator == self.operator);
        let sign = sign.map_or("?", |(sign, _)| sign);
        write!(f, "{}{sign}{}", self.name, self.number)
    }
}

/// Longer signs before those they begin with.
const SIGNS: [(&str, Operator); 7] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::Other),
    ("==", Operator::Equal),
    (">", Operator::More),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

impl FromStr for Condition {
    type Err = BadCondition;

    fn from_str(text: &str) -> Result<Condition, BadCondition> {
        let bad = || BadCondition::Form(text.to_owned());
        let at = text.find(['>', '<', '=', '!']).ok_or_else(bad)?;
        let (name, rest) = text.split_at(at);
        let (operator, number) =
            SIGNS.iter().find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?))).ok_or_else(bad)?;
        let name = name.trim().replace('-', "_");
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        if name.is_empty() || !number.is_finite() {
            return Err(bad());
        }
        Ok(Condition { name, operator, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare() {
        let measures = AnswerMeasures::from([("open", 3.0), ("open_groups", 1.0)]);
        for (text, expected) in [
            ("open>0", true),
            ("open > 3", false),
            ("open>=3", true),
            ("open<3", false),
            ("open<=3", true),
            ("open=3", true),
            ("open==3", true),
            ("open!=3", false),
            ("open-groups=1", true),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.holds(&measures), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_conditions_say_what_would_do() {
        for text in ["open", ">0", "open>", "open>many", "open!3", "open>nan"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
        let condition: Condition = "opne>0".parse().unwrap();
        let error = condition.holds(&AnswerMeasures::from([("open", 3.0)])).unwrap_err();
        assert_eq!(error.to_string(), "unknown measure \"opne\"; allowed: open");
    }
}
