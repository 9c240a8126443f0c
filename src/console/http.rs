//! The console's routes.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use serde::Serialize;

use crate::console::acts::{act, ask, done};
use crate::console::answer::{Asked, page, problem, with_status};
use crate::console::desk::render_alone;
use crate::console::guard::guard;
use crate::console::pages::{Pairs, audit, batch, digest, group, groups, home, incidents, item, plans, search};
use crate::console::templates::style;
use crate::console::{Console, Visitor, log_in, record_page};

/// The largest form.
const LARGEST_FORM: usize = 64 << 10;

const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><rect width=\"16\" height=\"16\" rx=\"3\" fill=\"#0b5cad\"/><path d=\"M3 13V8h2v5zM7 13V3h2v10zM11 13v-3h2v3z\" fill=\"#fff\"/></svg>";

/// The pages and forms of a console.
pub(crate) fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/", get(|to: Asked| page(to, home::show)))
        .route("/groups", get(|to: Asked, Query(query): Query<Pairs>| page(to, move |d| groups::show(d, &query))))
        .route(
            "/g/{id}",
            get(|to: Asked, Path(id): Path<String>, Query(query): Query<Pairs>| {
                page(to, move |desk| group::show(desk, &id, &query))
            }),
        )
        .route("/incidents", get(|to: Asked, Query(query): Query<Pairs>| page(to, move |d| incidents::list(d, &query))))
        .route("/n/{id}", get(|to: Asked, Path(id): Path<String>| page(to, move |desk| incidents::show(desk, &id))))
        .route("/i/{id}", get(|to: Asked, Path(id): Path<String>| page(to, move |desk| item::show(desk, &id))))
        .route("/i/{id}/record", get(record_page::show))
        .route("/act", get(ask::ask).post(act::act))
        .route("/done", get(done::done))
        .route(
            "/b/{id}",
            get(|to: Asked, Path(id): Path<String>, Query(query): Query<Pairs>| {
                page(to, move |desk| batch::show(desk, &id, &query))
            }),
        )
        .route("/plans", get(|to: Asked, Query(query): Query<Pairs>| page(to, move |d| plans::list(d, &query))))
        .route("/p/{id}", get(|to: Asked, Path(id): Path<String>| page(to, move |desk| plans::show(desk, &id))))
        .route("/d/{id}", get(|to: Asked, Path(id): Path<String>| page(to, move |desk| digest::show(desk, &id))))
        .route("/d/{id}/mail", get(mail))
        .route("/audit", get(|to: Asked, Query(query): Query<Pairs>| page(to, move |d| audit::show(d, &query))))
        .route("/search", get(|to: Asked, Query(query): Query<Pairs>| page(to, move |d| search::show(d, &query))))
        .route("/log-in", get(log_in::ask).post(log_in::log_in))
        .route("/log-out", get(log_in::ask_log_out).post(log_in::log_out))
        .route("/style.css", get(send_style))
        .route("/icon.svg", get(|| async { lasting("image/svg+xml", ICON.to_owned()) }))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn_with_state(Arc::clone(&console), guard))
        .with_state(console)
}

/// The pages of several ledgers, one path prefix each, and a page that lists them.
pub(crate) fn index(consoles: &[Arc<Console>]) -> Router {
    let all: Arc<[Arc<Console>]> = consoles.into();
    let list = Arc::clone(&all);
    let home = get(move || async move { list_ledgers(&list) });
    let Some(first) = all.first() else { return Router::new() };
    let home = Router::new().route("/", home).layer(middleware::from_fn_with_state(Arc::clone(first), guard));
    all.iter().fold(home, |whole, console| whole.nest(&console.base, router(Arc::clone(console))))
}

#[derive(Serialize)]
struct Ledgers {
    ledgers: Vec<(String, String)>,
}

fn list_ledgers(consoles: &[Arc<Console>]) -> Response {
    let Some(first) = consoles.first() else { return with_status(404, "no ledger".into_response()) };
    let ledgers = consoles.iter().map(|console| (console.base.clone(), console.ledger.display().to_string()));
    let page = Ledgers { ledgers: ledgers.collect() };
    match render_alone(first, &Visitor::default(), "ledgers.html", "Ledgers", &page) {
        Ok(page) => Html(page).into_response(),
        Err(error) => problem(first, &Visitor::default(), error),
    }
}

async fn send_style() -> Response {
    lasting("text/css; charset=utf-8", style())
}

/// What does not change under its address, and is no secret.
fn lasting(kind: &'static str, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, text).into_response()
}

/// A digest as mail clients show it: its styles are in its text, and nothing of it runs or is loaded.
async fn mail(to: Asked, Path(id): Path<String>) -> Response {
    let mut answer = page(to, move |desk| digest::mail(desk, &id)).await;
    if answer.status().is_success() {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-popups allow-top-navigation-by-user-activation";
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    answer
}
