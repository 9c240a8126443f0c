//! The fast way through a page: each row leaves the JSON straight for the page, with no list of wire rows in between.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::llamacloud::paging::page::{Page, RowReader};
use crate::llamacloud::wire::{WireCount, WireText, WireToken};

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
