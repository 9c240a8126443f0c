//! Logging in with the token, and out.

use std::sync::{Arc, PoisonError};

use axum::extract::{Extension, Form, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;

use crate::console::access::origin::own_path;
use crate::console::access::person_name::person_name;
use crate::console::answer::{Asked, problem, with_status};
use crate::console::desk::render_alone;
use crate::console::error::PageError;
use crate::console::guard::{asking, session_cookie};
use crate::console::pages::{Pairs, value};
use crate::console::{Console, Peer, Visitor};

#[derive(Serialize)]
struct LogIn<'a> {
    form: String,
    next: &'a str,
    name: &'a str,
    wrong: Option<&'a str>,
}

/// Asks for the token and a name.
pub(crate) async fn ask((State(console), Extension(visitor)): Asked, Query(query): Query<Pairs>) -> Response {
    shown(&console, &visitor, &query, None)
}

fn shown(console: &Arc<Console>, visitor: &Visitor, asked: &Pairs, wrong: Option<&str>) -> Response {
    if console.access.sessions.is_none() {
        return problem(console, visitor, PageError::NotFound("log-in with a token is configured".to_owned()));
    }
    let made = console.form(visitor).and_then(|form| {
        let page = LogIn { form, next: value(asked, "next"), name: value(asked, "name"), wrong };
        render_alone(console, visitor, "log_in.html", "Log in", &page)
    });
    match made {
        Ok(page) => asking(Html(page).into_response()),
        Err(error) => problem(console, visitor, error),
    }
}

/// Checks the token, and begins a session.
pub(crate) async fn log_in(
    (State(console), Extension(visitor)): Asked,
    peer: Option<Extension<Peer>>,
    Form(form): Form<Pairs>,
) -> Response {
    let Some(sessions) = &console.access.sessions else { return shown(&console, &visitor, &form, None) };
    let again = |status, wrong: &str| with_status(status, shown(&console, &visitor, &form, Some(wrong)));
    if let Err(error) = console.take_form(&visitor, value(&form, "form")) {
        return again(403, &error.to_string());
    }
    let (now, peer) = (console.now(), peer.map_or(Peer::Socket, |Extension(peer)| peer).to_string());
    let Some(name) = person_name(value(&form, "name")) else {
        return again(422, "Enter your name: it is recorded in the audit log.");
    };
    let may_try = console.attempts.lock().unwrap_or_else(PoisonError::into_inner).may_try(&peer, now);
    if !may_try {
        return again(429, "Too many wrong tokens: try again in ten minutes.");
    }
    if !sessions.is_token(value(&form, "token")) {
        console.attempts.lock().unwrap_or_else(PoisonError::into_inner).fail(&peer, now);
        tracing::warn!(%peer, "console log-in failed: wrong token");
        return again(401, "Wrong token.");
    }
    tracing::info!(%peer, person = %name, "logged in to the console");
    let home = format!("{}/", console.base);
    let next = own_path(value(&form, "next")).unwrap_or(&home);
    let cookie = session_cookie(&console, &sessions.begin(&name, now));
    ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
}

#[derive(Serialize)]
struct LogOut {
    form: String,
}

/// Asks whether to log out.
pub(crate) async fn ask_log_out((State(console), Extension(visitor)): Asked) -> Response {
    let made = console
        .form(&visitor)
        .and_then(|form| render_alone(&console, &visitor, "log_out.html", "Log out", &LogOut { form }));
    match made {
        Ok(page) => asking(Html(page).into_response()),
        Err(error) => problem(&console, &visitor, error),
    }
}

/// Ends the session of this browser.
pub(crate) async fn log_out((State(console), Extension(visitor)): Asked, Form(form): Form<Pairs>) -> Response {
    match console.take_form(&visitor, value(&form, "form")) {
        Ok(()) => {
            let cookie = session_cookie(&console, "");
            ([(header::SET_COOKIE, cookie)], Redirect::to(&format!("{}/log-in", console.base))).into_response()
        }
        Err(error) => problem(&console, &visitor, error),
    }
}
