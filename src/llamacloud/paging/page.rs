//! One page of a listing: from JSON straight to rows.
//!
//! The fast way decodes the whole page with borrowed strings.
//! Only if that fails, each row is decoded alone, so that one bad row never costs another.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::json_repair;
use crate::llamacloud::paging::row_reader::{self, Page, RowReader};
use crate::llamacloud::wire::{WireCount, WireToken};
use crate::secrets::mask;

#[derive(Deserialize)]
struct WireRows<'a, T> {
    #[serde(default = "Option::default")]
    items: Option<Vec<T>>,
    #[serde(default, borrow)]
    next_page_token: WireToken<'a>,
    #[serde(default)]
    total_size: WireCount,
}

/// Decodes a page; `path` is for messages.
pub(crate) fn decode<R: RowReader>(rows: &R, text: &str, path: &str) -> Result<Page<R::Row>, CloudError> {
    if let Some(page) = decode_fast(rows, text) {
        return Ok(page);
    }
    let mended = json_repair::repair(text);
    decode_row_by_row(rows, &mended, path)
}

/// Bytes of JSON that a row takes, about: only for how much room to make at first.
const USUAL_ROW: usize = 400;

fn decode_fast<R: RowReader>(rows: &R, text: &str) -> Option<Page<R::Row>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let page = row_reader::PageSeed(rows, text.len() / USUAL_ROW).deserialize(&mut json).ok()?;
    json.end().ok()?;
    page
}

fn decode_row_by_row<R: RowReader>(rows: &R, text: &str, path: &str) -> Result<Page<R::Row>, CloudError> {
    let wire: WireRows<'_, &RawValue> = parse(text, path)?;
    let items = match wire.items {
        Some(items) => items,
        None if explains_itself(text) => {
            return Err(CloudError::Decode {
                path: path.to_owned(),
                at: "items".to_owned(),
                problem: "missing".to_owned(),
            });
        }
        None => Vec::new(),
    };
    let mut page = Page::with_capacity(items.len());
    page.token = wire.next_page_token.0.map(Cow::into_owned);
    page.total = wire.total_size.0;
    for (index, raw) in items.iter().enumerate() {
        add_row(rows, &mut page, raw.get(), index);
    }
    Ok(page)
}

fn add_row<R: RowReader>(rows: &R, page: &mut Page<R::Row>, raw: &str, index: usize) {
    let why = match parse::<R::Wire<'_>>(raw, "") {
        Ok(wire) if !rows.id(&wire).is_empty() => return page.add(rows, wire),
        Ok(_) => "it has no id".to_owned(),
        Err(CloudError::Decode { at, problem, .. }) if at != "." => format!("{at}: {problem}"),
        Err(CloudError::Decode { problem, .. } | CloudError::CutShort { problem, .. }) => problem,
        Err(error) => error.to_string(),
    };
    let softened = serde_json::from_str::<Value>(raw).map(|value| soften(value, R::TEXTS));
    if let Ok(value) = softened
        && let Ok(wire) = R::Wire::deserialize(&value)
        && !rows.id(&wire).is_empty()
    {
        return page.add(rows, wire);
    }
    page.add_unreadable(raw, format!("items[{index}]: {}", mask(&why)));
}

/// Keeps what a text field says although it is no text; of a field that comes twice the last one counts.
fn soften(mut value: Value, texts: &[&str]) -> Value {
    for name in texts {
        if let Some(field) = value.get_mut(name)
            && !matches!(field, Value::String(_) | Value::Null)
        {
            *field = Value::String(field.to_string());
        }
    }
    value
}

/// Whether a 200 without `items` carries an error text instead.
fn explains_itself(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let known = ["items", "next_page_token", "total_size"];
    !value.is_object()
        || ["detail", "error", "message"].iter().any(|key| value.get(key).is_some())
            && known.iter().all(|key| value.get(key).is_none())
}

/// Parses JSON; an error says where; what is no JSON at all (cut short, garbled) is distinguished from a wrong shape.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str, path: &str) -> Result<T, CloudError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = error.path().to_string();
        (at, error.into_inner())
    });
    let checked = parsed.and_then(|value| match json.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(("end".to_owned(), error)),
    });
    checked.map_err(|(at, error)| {
        let problem = mask(&error.to_string()).into_owned();
        let path = path.to_owned();
        if error.is_eof() || error.is_syntax() {
            CloudError::CutShort { path, problem }
        } else {
            CloudError::Decode { path, at, problem }
        }
    })
}
