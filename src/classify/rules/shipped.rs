//! The rules that come with the program.

use crate::classify::rules::decide::Rules;
use crate::classify::rules::parse::RulesError;

/// `config/rules.toml`, which is also the documentation of how rules are written.
pub(crate) const SHIPPED: &str = include_str!("../../../config/rules.toml");

/// The shipped rules. Their patterns are compiled when the first message is to be classified.
///
/// # Errors
/// Never for the text in this repository: a test compiles it.
pub fn shipped_rules() -> Result<Rules, RulesError> {
    Rules::parse_trusted(SHIPPED)
}
