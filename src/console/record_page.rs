//! `/i/ID/record`: the record of an item's job, asked from LlamaCloud with the service's key.

use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use crate::actions::record::{self, RecordError};
use crate::console::answer::{Asked, problem, read};
use crate::console::desk::render_alone;
use crate::console::error::PageError;
use crate::report::filter::Filter;

/// How long a question waits for its turn: one a second is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long LlamaCloud may take.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Page {
    item_id: String,
    item_name: String,
    job_id: String,
    /// None if LlamaCloud no longer has it.
    record: Option<String>,
}

/// Asks for the record and shows it.
pub(crate) async fn show((State(console), Extension(visitor)): Asked, Path(id): Path<String>) -> Response {
    let made = async {
        let key = read(&console, &visitor, move |desk| {
            let whole = Filter::default();
            Ok(record::key(&desk.view(&whole)?, &id)?)
        });
        let key = key.await?;
        let busy = |what: &str| PageError::Busy(what.to_owned());
        let turn = tokio::time::timeout(PATIENCE, console.records.wait()).await;
        turn.map_err(|_| busy("too many job records requested: at most one a second"))?;
        let setup = console.setup();
        let asked = tokio::time::timeout(LIMIT, record::ask(&setup.projects, &key)).await;
        let record = asked.map_err(|_| busy("LlamaCloud does not answer"))?.map_err(|error| match error {
            RecordError::Cloud(cause) => PageError::LlamaCloud(format!("cannot fetch the record: {cause}")),
            error => PageError::Refused(error.to_string()),
        })?;
        let job_id = key.job_id.unwrap_or_default();
        let page = Page { item_id: key.item_id, item_name: key.item_name, job_id, record };
        render_alone(&console, &visitor, "record.html", "Job record", &page)
    };
    match made.await {
        Ok(page) => Html(page).into_response(),
        Err(error) => problem(&console, &visitor, error),
    }
}
