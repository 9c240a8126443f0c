//! Reads paths and query strings as the real service does: percent-decoded, with repeated names.

use crate::simulator::http::reply::Reply;

/// The decoded pairs of a query string, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        });
        Self { pairs: pairs.collect() }
    }

    /// The last value of this name, as the real service takes it for names that are not lists.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rfind(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// A whole number within bounds, or the 422 that a value out of them earns.
    pub(crate) fn number(
        &self,
        name: &str,
        default: usize,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, Reply> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        match text.parse::<usize>() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            _ => Err(Reply::invalid(&["query", name], "not a number within its bounds")),
        }
    }

    /// The value that `read` makes of a word, or the 422 that an unknown word earns.
    pub(crate) fn word<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Reply> {
        self.get(name)
            .map(|word| read(word).ok_or_else(|| Reply::invalid(&["query", name], "not one of the known words")))
            .transpose()
    }
}

/// Percent-decodes a text; `+` is a blank only in queries. Broken escapes stay as they are.
pub(crate) fn decode(text: &str, plus_is_blank: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            None if bytes[at] == b'+' && plus_is_blank => decoded.push(b' '),
            None => decoded.push(bytes[at]),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_are_all_kept() {
        let query = Query::parse("job_ids=a&job_ids=b%20c&status=FAILED");
        assert_eq!(query.all("job_ids").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(query.get("status"), Some("FAILED"));
    }

    #[test]
    fn a_number_out_of_bounds_is_refused() {
        let query = Query::parse("limit=1001&offset=-1");
        assert!(query.number("limit", 50, 1..=1000).is_err());
        assert!(query.number("offset", 0, 0..=usize::MAX).is_err());
        assert_eq!(query.number("other", 7, 1..=10).ok(), Some(7));
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(decode("100%+%zz%41", false), "100%+%zzA");
    }
}
