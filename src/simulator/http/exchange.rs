//! One request and its answer: key check, fault, call, spoiling, and the entry in the server's own account.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::simulator::faults::{self, FaultRule, InjectedFault, corrupt};
use crate::simulator::http::endpoint::{self, Endpoint, EndpointCall};
use crate::simulator::http::multipart;
use crate::simulator::http::query::{Query, decode};
use crate::simulator::http::reply::{Content, Reply};
use crate::simulator::http::service::{SimulatedService, authorize};
use crate::simulator::http::wire::{Middle, Wire};
use crate::simulator::options::{ClockMode, Date, Options};
use crate::simulator::world::state::World;
use crate::simulator::world::truth::Post;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) options: Mutex<Options>,
    pub(crate) faults: Mutex<Vec<FaultRule>>,
    /// The real and the simulated time at which the present clock began to run.
    pub(crate) began: Mutex<(Instant, Timestamp)>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn options(&self) -> MutexGuard<'_, Options> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn began(&self) -> MutexGuard<'_, (Instant, Timestamp)> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves simulated time on as the clock says.
    pub(crate) fn tick(&self, world: &mut World, clock: ClockMode) {
        match clock {
            ClockMode::Stopped => {}
            ClockMode::PerRequest(step) => world.advance(step),
            ClockMode::Running(speed) => {
                let (real, simulated) = *self.began();
                let passed = real.elapsed().as_millis() as i64 * i64::from(speed);
                world.advance_to(simulated + SignedDuration::from_millis(passed));
            }
            ClockMode::Host => world.advance_to(Timestamp::now()),
        }
    }
}

/// The largest body that is read; larger ones earn a 413.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The longest address that is taken, as most proxies have it; longer ones earn a 414.
const LONGEST_ADDRESS: usize = 16 * 1024;

const WEB_PAGE: &str =
    "<!DOCTYPE html><html><head><title>One moment</title></head><body><h1>We are moving house</h1></body></html>";

/// Answers a request, or cuts its connection and never answers.
pub(crate) async fn exchange(shared: &Shared, wire: &Wire, request: Request<Body>) -> Response<Body> {
    if *shared.stopping.borrow() {
        return close_connection(wire).await;
    }
    let (head, body) = request.into_parts();
    if head.uri.to_string().len() > LONGEST_ADDRESS {
        return respond(414, "application/json", r#"{"detail":"The address is too long"}"#.into());
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return respond(413, "application/json", r#"{"detail":"The body is too large"}"#.into());
    };
    let path = decode(head.uri.path(), false);
    let call = endpoint::call(head.method.as_str(), &path);
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let fault = faults::apply(&mut shared.faults(), call.endpoint, target);
    let query = Query::parse(head.uri.query().unwrap_or(""));
    let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let reply = decide(shared, &call, &query, authorization, read(content_type, &body), fault.as_ref());
    let mut response = send(shared, wire, reply, fault).await;
    date(shared, &mut response);
    response
}

/// The server puts its host's time on an answer that has no date.
fn date(shared: &Shared, response: &mut Response<Body>) {
    let date = shared.options().date;
    let text = match date {
        Date::Host => return,
        Date::World => shared.world().now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        Date::Unreadable => "unknown".to_owned(),
    };
    if let Ok(value) = text.parse() {
        response.headers_mut().insert("date", value);
    }
}

/// The body as a value; null if there is none, or nothing that can be read.
fn read(content_type: &str, body: &Bytes) -> Value {
    multipart::read(content_type, body).unwrap_or_else(|| serde_json::from_slice(body).unwrap_or_default())
}

/// What the service does and would answer; faults that forbid the doing are already in it.
fn decide(
    shared: &Shared,
    call: &EndpointCall<'_>,
    query: &Query,
    authorization: Option<&str>,
    json: Value,
    fault: Option<&InjectedFault>,
) -> Reply {
    // The world first, the options second: a test that holds the world may still change options.
    let mut world = shared.world();
    let mut options = shared.options();
    let request = world.count_request(call.endpoint);
    shared.tick(&mut world, options.clock);
    let project = match authorize(&world, authorization, query) {
        Ok(project) => project,
        Err(refusal) => return refusal,
    };
    let mut reply = match fault {
        Some(fault) if prevents(fault) => refused(fault),
        _ => {
            let mut service = SimulatedService { world: &mut world, options: &mut options, query, project, request };
            let first = service.answer(call, &json);
            match fault {
                Some(InjectedFault::AcceptedTwice) => joined(first, service.answer(call, &json)),
                _ => first,
            }
        }
    };
    if let Some(InjectedFault::AcceptedThenStatus(status)) = fault {
        reply = Reply { created: reply.created, ..Reply::error(*status, "The line went quiet") };
    }
    if call.endpoint.creates_work()
        || call.endpoint == Endpoint::CancelBatch
        || call.endpoint == Endpoint::V2CancelBatch
    {
        let at = world.now();
        world.truth.posts.push(Post {
            at,
            endpoint: call.endpoint,
            project,
            body: json,
            status: reply.status,
            created: reply.created.clone(),
            reply_lost: matches!(
                fault,
                Some(InjectedFault::Reset | InjectedFault::AcceptedThenReset | InjectedFault::HalfBody)
            ),
        });
    }
    reply
}

/// Whether nothing at all is done.
fn prevents(fault: &InjectedFault) -> bool {
    matches!(
        fault,
        InjectedFault::Status(_)
            | InjectedFault::StatusRetryAfter(..)
            | InjectedFault::StatusHtml(..)
            | InjectedFault::Reset
    )
}

fn refused(fault: &InjectedFault) -> Reply {
    match fault {
        InjectedFault::Status(422) => Reply::invalid(&["query", "planted"], "refused by a planted fault"),
        InjectedFault::Status(status)
        | InjectedFault::StatusRetryAfter(status, _)
        | InjectedFault::StatusHtml(status, _) => Reply::error(*status, "A planted fault answers here"),
        _ => Reply::error(500, "A planted fault answers here"),
    }
}

fn joined(first: Reply, mut second: Reply) -> Reply {
    second.created.splice(0..0, first.created);
    second
}

/// Puts the answer on the wire as the fault allows.
async fn send(shared: &Shared, wire: &Wire, mut reply: Reply, fault: Option<InjectedFault>) -> Response<Body> {
    if let (Content::Json(value), Some(fault)) = (&mut reply.content, &fault) {
        corrupt::corrupt_times(value, fault);
    }
    let text = match &reply.content {
        Content::Json(value) => corrupt::write(value, fault.as_ref()),
        Content::Text(text) => text.clone(),
    };
    mark_shown(shared, &reply, fault.as_ref());
    let json = "application/json";
    match fault {
        Some(InjectedFault::Reset | InjectedFault::AcceptedThenReset) => return close_connection(wire).await,
        Some(InjectedFault::Late(time)) => tokio::time::sleep(time).await,
        Some(InjectedFault::HalfBody) => wire.at_half(text.len(), Middle::Ends),
        Some(InjectedFault::SlowBody(time)) => wire.at_half(text.len(), Middle::Waits(time)),
        Some(InjectedFault::Html) => return respond(200, "text/html; charset=utf-8", WEB_PAGE.into()),
        Some(InjectedFault::StatusHtml(status, page)) => {
            return respond(status, "text/html; charset=utf-8", page.into());
        }
        Some(InjectedFault::Verbatim(headers, body)) => {
            let mut response = respond(200, json, body.into());
            for (name, value) in headers {
                response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
            }
            return response;
        }
        Some(InjectedFault::EmptyBody) => return respond(200, json, Body::empty()),
        Some(InjectedFault::InvalidUtf8) => {
            let mut bytes = text.into_bytes();
            let middle = bytes.len() / 2;
            bytes.splice(middle..middle, [0xff, 0xfe]);
            return respond(reply.status, json, bytes.into());
        }
        Some(InjectedFault::WrongContentType) => return respond(reply.status, "text/plain", text.into()),
        Some(InjectedFault::StatusRetryAfter(status, after)) => {
            let mut response = respond(status, json, text.into());
            if let Ok(after) = after.parse() {
                response.headers_mut().insert("retry-after", after);
            }
            return response;
        }
        _ => {}
    }
    respond(reply.status, json, text.into())
}

/// Notes which failures a client can have read in this answer.
fn mark_shown(shared: &Shared, reply: &Reply, fault: Option<&InjectedFault>) {
    let malformed = match fault {
        Some(InjectedFault::Malformed(position)) => Some(*position),
        Some(
            InjectedFault::Reset
            | InjectedFault::AcceptedThenReset
            | InjectedFault::HalfBody
            | InjectedFault::Html
            | InjectedFault::EmptyBody
            | InjectedFault::Verbatim(..)
            | InjectedFault::InvalidUtf8
            | InjectedFault::UnknownWords,
        ) => return,
        _ => None,
    };
    let mut world = shared.world();
    for (position, failure) in reply.shown.iter().enumerate() {
        if let Some(failure) = failure.filter(|_| malformed != Some(position)) {
            world.truth.failures[failure].served = true;
        }
    }
}

/// Resets the connection and waits for its end.
async fn close_connection(wire: &Wire) -> Response<Body> {
    wire.cut();
    std::future::pending().await
}

fn respond(status: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static(content_type));
    response
}
