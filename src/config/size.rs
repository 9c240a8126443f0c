//! Sizes as people write them: "1 GiB", "500 MiB", "0".

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Units, the largest first, each with its bytes.
const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// For `#[serde(with = "…")]` on a number of bytes.
///
/// # Errors
/// The text is no size.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Writes a size so that [`deserialize`] reads the same.
#[cfg(test)]
pub(crate) fn serialize<S: serde::Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let unit = UNITS.iter().find(|(_, size)| *bytes > 0 && bytes.is_multiple_of(*size));
    serializer.serialize_str(&unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{} {unit}", bytes / size)))
}

/// A size in bytes as people write it: a whole number and a unit; a number alone is bytes.
///
/// # Errors
/// The text is no size, or too large for one; the message quotes it and shows how to write one.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write it like \"1 GiB\", \"500 MiB\" or \"0\"");
    let (number, size) = UNITS
        .iter()
        .find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?, *size)))
        .unwrap_or((text.trim(), 1));
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(size).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_their_units_and_nothing_else_is() {
        for (text, bytes) in [("1 GiB", 1 << 30), ("500MiB", 500 << 20), ("0", 0), (" 7 KiB ", 7 << 10), ("12", 12)] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        for bad in ["", "GiB", "1 GB", "-1", "1.5 GiB", "99999999999 TiB", "1 gib"] {
            assert!(parse(bad).unwrap_err().contains("1 GiB"), "{bad}");
        }
    }
}
