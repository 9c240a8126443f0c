//! Pages that failed inside a parse that completed: a job may tolerate some, and says so only on the pages themselves.
//!
//! It costs a request for each file, so it is off unless a project asks for it.

use serde::Deserialize;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::v2::job::Product;
use crate::llamacloud::wire::{WireCount, WireText};

#[derive(Deserialize)]
pub(crate) struct WireResult<'a> {
    #[serde(borrow)]
    markdown: Option<WireMarkdown<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct WireMarkdown<'a> {
    #[serde(borrow, default)]
    pages: Vec<WirePage<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct WirePage<'a> {
    #[serde(default)]
    page_number: WireCount,
    success: Option<bool>,
    #[serde(borrow)]
    error: Option<WireText<'a>>,
}

/// What a completed parse says of its failed pages; none if all succeeded, or if LlamaCloud does not know the job any more.
pub(crate) async fn failed_pages(client: &Client, job_id: &str) -> Result<Option<String>, CloudError> {
    let path = [&Product::Parse.path()[..], &[job_id]].concat();
    let shown = format!("/{}", path.join("/"));
    let ask = Ask::path(&path).with("expand", "markdown");
    let got = client.get(&ask, |text| Ok(parse::<WireResult<'_>>(text, &shown)?.markdown.and_then(failure_summary)));
    match got.await {
        Err(error) if error.is_not_found() => Ok(None),
        summary => summary,
    }
}

/// One sentence, with the error of the first page that failed.
fn failure_summary(markdown: WireMarkdown<'_>) -> Option<String> {
    let all = markdown.pages.len();
    let mut failed = markdown.pages.into_iter().filter(|page| page.success == Some(false));
    let first = failed.next()?;
    let others = failed.count();
    let which = first.page_number.0.map_or_else(String::new, |number| format!(" {number}"));
    let error = first.error.and_then(WireText::into_message).unwrap_or_else(|| "it does not say why".to_owned());
    Some(format!("{} of {all} pages failed although the parse completed; page{which}: {error}", others + 1))
}
