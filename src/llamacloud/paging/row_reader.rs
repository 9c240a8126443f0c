//! The fast way through a page: each row leaves the JSON straight for the page, with no list of wire rows in between.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::llamacloud::wire::{WireCount, WireText, WireToken};

/// The same in every run of the same build, so that fingerprints of two listings can be compared. A keyless fast hash would do no better here, and this one is hard to make collide by accident.
pub(crate) fn key(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// How the rows of one list are read.
pub(crate) trait RowReader {
    /// A row as it stands in the JSON.
    type Wire<'a>: Deserialize<'a>;
    /// What comes out.
    type Row;
    /// Text fields: values of other types are kept as their JSON text where a row is read leniently.
    const TEXTS: &'static [&'static str];
    /// The row's id; empty if it has none, which makes it unreadable.
    fn id<'w>(&self, wire: &'w Self::Wire<'_>) -> &'w str;
    /// The row; none if it does not belong to this listing.
    fn row(&self, wire: Self::Wire<'_>) -> Option<Self::Row>;
}

/// One page. Keys are hashes of ids (of the raw text, for rows without one).
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// One for each of `rows`.
    pub(crate) row_keys: Vec<u64>,
    /// Of rows that do not belong to the listing.
    pub(crate) other_keys: Vec<u64>,
    /// Of rows that could not be read.
    pub(crate) unreadable_keys: Vec<u64>,
    /// Why the first unreadable row is so.
    pub(crate) why_unreadable: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) total: Option<u64>,
}

impl<T> Page<T> {
    pub(crate) fn with_capacity(rows: usize) -> Page<T> {
        Page {
            rows: Vec::with_capacity(rows),
            row_keys: Vec::with_capacity(rows),
            other_keys: Vec::new(),
            unreadable_keys: Vec::new(),
            why_unreadable: None,
            token: None,
            total: None,
        }
    }

    /// Rows that the server sent, of whatever kind.
    pub(crate) fn size(&self) -> u64 {
        (self.row_keys.len() + self.other_keys.len() + self.unreadable_keys.len()) as u64
    }

    pub(crate) fn add<R: RowReader<Row = T>>(&mut self, rows: &R, wire: R::Wire<'_>) {
        let key = key(rows.id(&wire));
        match rows.row(wire) {
            Some(row) => {
                self.rows.push(row);
                self.row_keys.push(key);
            }
            None => self.other_keys.push(key),
        }
    }

    pub(crate) fn add_unreadable(&mut self, raw: &str, why: String) {
        self.unreadable_keys.push(key(raw));
        self.why_unreadable.get_or_insert(why);
    }
}

/// Reads a page; none if it has no `items`. A row without an id is an error, which the slow way explains.
///
/// The number is how many rows to make room for.
pub(crate) struct PageSeed<'r, R>(pub(crate) &'r R, pub(crate) usize);

impl<'de, R: RowReader> DeserializeSeed<'de> for PageSeed<'_, R> {
    type Value = Option<Page<R::Row>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, R: RowReader> Visitor<'de> for PageSeed<'_, R> {
    type Value = Option<Page<R::Row>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut page = None;
        let mut token = None;
        let mut total = None;
        while let Some(key) = map.next_key::<WireText<'de>>()? {
            match key.as_str() {
                "items" if page.is_some() => return Err(A::Error::duplicate_field("items")),
                "items" => page = Some(map.next_value_seed(RowsSeed(self.0, self.1))?),
                "next_page_token" => token = map.next_value::<WireToken<'de>>()?.0,
                "total_size" => total = map.next_value::<WireCount>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(page.map(|page: Page<R::Row>| Page { token: token.map(Cow::into_owned), total, ..page }))
    }
}

struct RowsSeed<'r, R>(&'r R, usize);

impl<'de, R: RowReader> DeserializeSeed<'de> for RowsSeed<'_, R> {
    type Value = Page<R::Row>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, R: RowReader> Visitor<'de> for RowsSeed<'_, R> {
    type Value = Page<R::Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut page = Page::with_capacity(self.1);
        while let Some(wire) = seq.next_element::<R::Wire<'de>>()? {
            if self.0.id(&wire).is_empty() {
                return Err(A::Error::missing_field("id"));
            }
            page.add(self.0, wire);
        }
        Ok(page)
    }
}
