//! The rules that come with the program.

use super::{Rules, RulesError};

/// `config/rules.toml`, which is also the documentation of how rules are written.
pub const SHIPPED: &str = include_str!("../../../config/rules.toml");

/// The shipped rules. Their patterns are compiled when the first message is to be classified.
///
/// # Errors
/// Never for the text in this repository: a test compiles it.
pub fn shipped_rules() -> Result<Rules, RulesError> {
    Rules::parse_trusted(SHIPPED)
}
