//! Authentication and host checks of every request, and the security headers of every response.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cookie::Cookie;

use crate::console::access::origin::{is_own, own_path};
use crate::console::access::person_name::person_name;
use crate::console::answer::problem;
use crate::console::error::PageError;
use crate::console::templates::render;
use crate::console::words::encoded;
use crate::console::{Console, Peer, Visitor};

/// Nothing but our own style, pictures and forms; no script, whatever an escape may miss.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The cookie of a log-in, and the same behind https, which browsers then keep off http and off other names.
const SESSION: &str = "llama-triage";
const SESSION_HTTPS: &str = "__Host-llama-triage";

/// The cookie that remembers what a person typed as their name where no one is asked who they are.
const NAME: &str = "llama-triage-name";

/// Headers that proxies add.
const OF_PROXIES: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Paths that are answered before a log-in.
const BEFORE_LOG_IN: [&str; 3] = ["/log-in", "/style.css", "/icon.svg"];

/// Admits a request, or says why not, and puts the headers on the answer.
pub(crate) async fn guard(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let mut answer = match admit(&console, &request) {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    };
    protect(answer.headers_mut());
    answer
}

fn admit(console: &Arc<Console>, request: &Request) -> Result<Visitor, Box<Response>> {
    let headers = request.headers();
    let refuse = |why: &str| Box::new(problem(console, &Visitor::default(), PageError::Forbidden(why.to_owned())));
    let host = only(headers, &header::HOST).unwrap_or_default();
    if !console.access.hosts.allow(host) {
        return Err(refuse("Unknown host name: add it to console.hosts or service.public-url."));
    }
    if console.access.is_open() && OF_PROXIES.iter().any(|name| headers.contains_key(*name)) {
        // Some proxies ask by the name of this host, whoever asks them.
        return Err(refuse(
            "A proxy leads here, but no one is asked who they are: set the credential console-token, or console.trusted-header.",
        ));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // Browsers send forms with their length. What a proxy and this program might end at different bytes could hide
        // another request behind it, with headers that no proxy has looked at: so the connection ends here.
        let mut refusal = refuse("A form needs its length.");
        refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Err(refusal);
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let from = |name: HeaderName| headers.contains_key(&name).then(|| only(headers, &name).unwrap_or("invalid"));
    let fetch_site = from(HeaderName::from_static("sec-fetch-site"));
    if !is_read && !is_own(host, from(header::ORIGIN), fetch_site) {
        return Err(refuse("This form was not sent from a page of the console. Nothing was done."));
    }
    if let Some(visitor) = visitor(console, request) {
        return Ok(visitor);
    }
    if console.access.sessions.is_some() {
        if BEFORE_LOG_IN.contains(&request.uri().path()) {
            return Ok(Visitor::default());
        }
        let next = request.uri().path_and_query().map_or("/", |whole| whole.as_str());
        let next = own_path(next).filter(|_| is_read).map(|next| format!("{}{next}", console.base));
        return Err(Box::new(match next {
            Some(next) if fetch_site == Some("cross-site") => open_again(&next),
            next => log_in_first(console, next.as_deref()),
        }));
    }
    Err(refuse("The single sign-on proxy did not identify you: check console.trusted-header."))
}

/// Leads to the log-in, and from there to `next`.
fn log_in_first(console: &Console, next: Option<&str>) -> Response {
    let next = next.map_or_else(String::new, |next| format!("?next={}", encoded(next)));
    Redirect::to(&format!("{}/log-in{next}", console.base)).into_response()
}

/// Opens the page once more, from a page of the console: browsers keep a strict cookie back when a link elsewhere, such as
/// in a mail, is followed, so who is logged in would be asked to log in again.
fn open_again(next: &str) -> Response {
    let values = std::collections::BTreeMap::from([("next", next)]);
    match render("opening.html", &values) {
        Ok(page) => Html(page).into_response(),
        Err(_) => Redirect::to(next).into_response(),
    }
}

/// Who asks; none if they have to log in first.
fn visitor(console: &Console, request: &Request) -> Option<Visitor> {
    let access = &console.access;
    let actions = Some(access.actions).filter(|_| console.writer.is_some());
    if let Some(person) = signed_on(console, request) {
        return Some(Visitor { person: Some(person), is_known: true, has_session: false, actions });
    }
    if let Some(sessions) = &access.sessions {
        let cookie = cookie(request.headers(), session_name(console))?;
        let person = sessions.person(&cookie, console.now())?;
        return Some(Visitor { person: Some(person), is_known: true, has_session: true, actions });
    }
    let typed = || {
        let name = BASE64_URL_SAFE_NO_PAD.decode(cookie(request.headers(), NAME)?).ok()?;
        person_name(&String::from_utf8(name).ok()?)
    };
    access.is_open().then(|| Visitor { person: typed(), is_known: false, has_session: false, actions })
}

/// The person that a trusted sign-on names. What others say in its header is ignored, and so is a header that is there twice.
fn signed_on(console: &Console, request: &Request) -> Option<String> {
    let sign_on = console.access.sign_on.as_ref()?;
    let is_trusted = match request.extensions().get::<Peer>()? {
        Peer::Address(address) => sign_on.proxies.contains(&address.to_canonical()),
        Peer::Socket => sign_on.is_unix,
    };
    let mut named = request.headers().get_all(sign_on.header.as_str()).iter();
    let (name, again) = (named.next()?, named.next());
    let name = std::str::from_utf8(name.as_bytes()).ok()?;
    // A list of two is the header twice.
    if !is_trusted || again.is_some() || name.contains(',') {
        return None;
    }
    person_name(name)
}

/// The value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = sent.flat_map(|all| all.split(';')).filter_map(|one| Cookie::parse(one.trim().to_owned()).ok());
    named.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

fn session_name(console: &Console) -> &'static str {
    if console.access.is_https { SESSION_HTTPS } else { SESSION }
}

/// The cookie of a session; an empty one ends it.
pub(crate) fn session_cookie(console: &Console, value: &str) -> HeaderValue {
    kept(console, session_name(console), value)
}

/// The cookie that remembers a typed name.
pub(crate) fn name_cookie(console: &Console, name: &str) -> HeaderValue {
    kept(console, NAME, &BASE64_URL_SAFE_NO_PAD.encode(name))
}

fn kept(console: &Console, name: &'static str, value: &str) -> HeaderValue {
    let seconds = if value.is_empty() { 0 } else { crate::console::access::session::LIFE.as_secs() };
    let secure = if console.access.is_https { "; Secure" } else { "" };
    let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(cookie::SameSite::Strict).build();
    HeaderValue::try_from(format!("{cookie}; Max-Age={seconds}{secure}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What every answer says to browsers; a page may have said more.
fn protect(headers: &mut HeaderMap) {
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Lets the forms of a page be sent with their origin, which browsers hide from pages that send no referrer at all.
pub(crate) fn asking(page: Response) -> Response {
    let mut page = page;
    page.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    page
}
