//! Responses of handlers: a page rendered from the ledger, or an error page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use crate::console::desk::{Desk, render_alone};
use crate::console::error::PageError;
use crate::console::{Console, Visitor};

/// How long a page waits for a read permit.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a handler gets: the console and who asks.
pub(crate) type Asked = (State<Arc<Console>>, Extension<Visitor>);

#[derive(Serialize)]
struct Problem {
    status: u16,
    what: String,
    again: bool,
}

/// Makes a page from the ledger, apart from what else runs.
pub(crate) async fn page<F>((State(console), Extension(visitor)): Asked, make: F) -> Response
where
    F: FnOnce(&Desk<'_>) -> Result<String, PageError> + Send + 'static,
{
    match read(&console, &visitor, make).await {
        Ok(page) => Html(page).into_response(),
        Err(error) => problem(&console, &visitor, error),
    }
}

/// Reads from the ledger as it is at one moment.
///
/// # Errors
/// As `make` says; or others have read for too long, or the ledger cannot be opened.
pub(crate) async fn read<T, F>(console: &Arc<Console>, visitor: &Visitor, make: F) -> Result<T, PageError>
where
    T: Send + 'static,
    F: FnOnce(&Desk<'_>) -> Result<T, PageError> + Send + 'static,
{
    let turn = tokio::time::timeout(PATIENCE, console.reads.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(PageError::Busy("too many pages are being loaded".to_owned())) };
    let (console, visitor) = (Arc::clone(console), visitor.clone());
    let made = tokio::task::spawn_blocking(move || make(&Desk::open(&console, &visitor, console.now())?));
    made.await.map_err(|error| PageError::Internal(error.into()))?
}

/// A page that says what is wrong, in words for people.
pub(crate) fn problem(console: &Console, visitor: &Visitor, error: PageError) -> Response {
    let status = error.status();
    let mut what = error.to_string();
    if let PageError::Ledger(cause) = &error {
        what = format!("{what}: {cause}");
    }
    if status >= 500 {
        tracing::warn!(error = %format!("{:#}", anyhow::Error::new(error)), "cannot show a page of the console");
    }
    let mut letters = what.chars();
    let what = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let page = Problem { status, what, again: matches!(status, 502 | 503) };
    let title = if status == 404 { "Not found" } else { "This did not work" };
    let shown = render_alone(console, visitor, "problem.html", title, &page);
    with_status(status, shown.map_or_else(|_| page.what.into_response(), |page| Html(page).into_response()))
}

/// An answer with a status that is not 200.
pub(crate) fn with_status(status: u16, answer: Response) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, answer).into_response()
}
