//! `POST /act`: does what a form says, through the functions of the commands.

use std::sync::Arc;

use axum::extract::{Extension, Form, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

use crate::actions::act::{ActError, Done, Person, reason};
use crate::actions::plan::{PLANNED_STATES, approvable, approve, item_ids, not_ended};
use crate::actions::{ack, assign, class, dismiss, intent, name, note, resume, silence};
use crate::console::access::person_name::person_name;
use crate::console::acts::ask::{allowed, matchers, values};
use crate::console::acts::done;
use crate::console::acts::kind::ActKind;
use crate::console::answer::{Asked, problem};
use crate::console::error::PageError;
use crate::console::guard::name_cookie;
use crate::console::pages::{Pairs, value};
use crate::console::words::encoded;
use crate::console::{Console, Visitor};
use crate::ledger::Ledger;
use crate::report::filter::Filter;
use crate::reprocess::Reprocess;
use crate::reprocess::plans::draft::Request;
use crate::reprocess::plans::execute::cancel_plan;

/// What a form came to.
struct Outcome {
    done: Vec<Done>,
    refused: Vec<String>,
    /// Where to go on, where that is not what was done.
    next: Option<String>,
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Outcome {
        Outcome { done: vec![done], refused: Vec::new(), next: None }
    }
}

/// Acts.
pub(crate) async fn act((State(console), Extension(visitor)): Asked, Form(form): Form<Pairs>) -> Response {
    match acted(&console, &visitor, &form).await {
        Ok(answer) => answer,
        Err(error) => problem(&console, &visitor, error),
    }
}

async fn acted(console: &Arc<Console>, visitor: &Visitor, form: &Pairs) -> Result<Response, PageError> {
    let kind = allowed(visitor, value(form, "act"))?;
    let ledger = console.writer.clone().ok_or_else(|| PageError::Forbidden("this console is read-only".to_owned()))?;
    let typed = || person_name(value(form, "person"));
    let name = match &visitor.person {
        Some(name) if visitor.is_known => Some(name.clone()),
        _ => typed(),
    };
    let name = name.ok_or_else(|| PageError::Refused("enter your name: it is recorded in the audit log".to_owned()))?;
    console.take_form(visitor, value(form, "form"))?;
    let by = Person { name: name.clone(), now: console.acting_now(&ledger).await? };
    tracing::info!(person = %by.name, act = kind.word(), "an action in the console");
    let outcome = perform(console, &ledger, kind, form, by).await?;
    if outcome.done.is_empty() && !outcome.refused.is_empty() {
        return Err(PageError::Refused(outcome.refused.join("; ")));
    }
    let ids: Vec<String> = outcome.done.iter().map(|done| format!("id={}", done.audit_id)).collect();
    let next = outcome.next.unwrap_or_else(|| format!("{}/done?{}", console.base, ids.join("&")));
    let answer = match outcome.refused.is_empty() {
        true => Redirect::to(&next).into_response(),
        // Part of it was done: what was refused is on no page that can be loaded again.
        false => done::partly(console, visitor, outcome.done, &outcome.refused).await,
    };
    Ok(match visitor.is_known {
        true => answer,
        false => ([(header::SET_COOKIE, name_cookie(console, &name))], answer).into_response(),
    })
}

async fn perform(
    console: &Arc<Console>,
    ledger: &Ledger,
    kind: ActKind,
    form: &Pairs,
    by: Person,
) -> Result<Outcome, PageError> {
    let (ids, why) = (values(form, "id"), value(form, "reason"));
    let first = || ids.first().map(String::as_str).unwrap_or_default();
    Ok(match kind {
        ActKind::Ack | ActKind::Unack | ActKind::Assign | ActKind::Unassign | ActKind::Dismiss | ActKind::Undismiss => {
            each(console, ledger, kind, &ids, form, &by).await?
        }
        ActKind::Silence => silenced(ledger, form, why, &by).await?,
        ActKind::Unsilence => unsilenced(ledger, form, &ids, &by).await?,
        ActKind::Note => note::add_note(ledger, first(), value(form, "text"), by).await?.into(),
        ActKind::Class => class::set_class(ledger, first(), value(form, "class"), why, by).await?.into(),
        ActKind::Rename => name::rename(ledger, first(), value(form, "title"), by).await?.into(),
        ActKind::Merge => name::merge(ledger, first(), value(form, "into"), by).await?.into(),
        ActKind::Resume => resume::resume_scope(ledger, value(form, "scope"), why, by).await?.into(),
        ActKind::Retry => planned(console, ledger, form, ids, &by).await?,
        ActKind::Apply => applied(ledger, form, why, &by).await?,
        ActKind::Abandon => {
            let projects = console.setup().projects.iter().map(|project| project.name.clone()).collect();
            intent::abandon_intent(ledger, projects, value(form, "intent"), why, &by).await?.into()
        }
        ActKind::Cancel if !value(form, "intent").is_empty() => {
            let id = value(form, "intent");
            intent::cancel_intent(ledger, id, &format!("intent {id}"), &by).await?.into()
        }
        ActKind::Cancel => {
            let plan = value(form, "plan");
            let ended = cancel_plan(ledger, plan, &by.name, by.now).await;
            let (said, audit_id) = ended.map_err(|error| not_ended(error, &format!("plan {plan}"), ""))?;
            Done { said, audit_id }.into()
        }
    })
}

/// Does it to each group, and goes on where one is refused.
async fn each(
    console: &Console,
    ledger: &Ledger,
    kind: ActKind,
    ids: &[String],
    form: &Pairs,
    by: &Person,
) -> Result<Outcome, PageError> {
    let why = value(form, "reason");
    let terms = ack::terms(value(form, "until"), by.now, &console.setup().zone);
    let ticket = Some(value(form, "ticket")).filter(|ticket| !ticket.is_empty());
    let mut outcome = Outcome { done: Vec::new(), refused: Vec::new(), next: None };
    for id in ids {
        let acted = match kind {
            ActKind::Ack => ack::ack(ledger, id, terms.clone().map_err(PageError::Refused)?, by.clone()).await,
            ActKind::Assign => assign::assign(ledger, id, value(form, "to"), ticket, by.clone()).await,
            ActKind::Unassign => assign::unassign(ledger, id, by.clone()).await,
            ActKind::Unack => ack::unack(ledger, id, by.clone()).await,
            ActKind::Dismiss => dismiss::dismiss(ledger, id, why, by.clone()).await,
            _ => dismiss::undismiss(ledger, id, why, by.clone()).await,
        };
        match acted {
            Ok(done) => outcome.done.push(done),
            Err(ActError::Ledger(error)) => return Err(error.into()),
            Err(error) => outcome.refused.push(error.to_string()),
        }
    }
    if outcome.done.is_empty() && outcome.refused.is_empty() {
        return Err(PageError::Refused("choose a group first".to_owned()));
    }
    Ok(outcome)
}

async fn silenced(ledger: &Ledger, form: &Pairs, why: &str, by: &Person) -> Result<Outcome, PageError> {
    let length = value(form, "for");
    let length = (!length.is_empty()).then(|| crate::config::duration::parse(length)).transpose();
    let length = length.map_err(PageError::Refused)?;
    let mut outcome = Outcome { done: Vec::new(), refused: Vec::new(), next: None };
    for matcher in matchers(form) {
        outcome.done.push(silence::silence(ledger, matcher, length, why, by.clone()).await?);
    }
    Ok(outcome)
}

/// Ends the silences with these numbers, and those that name these groups and nothing else.
async fn unsilenced(ledger: &Ledger, form: &Pairs, ids: &[String], by: &Person) -> Result<Outcome, PageError> {
    let mut numbers: Vec<i64> = values(form, "silence").iter().filter_map(|number| number.parse().ok()).collect();
    let in_force = silence::list(ledger, by.now).await?;
    let of_groups = in_force.iter().filter(|silence| silence.matcher.group.as_ref().is_some_and(|id| ids.contains(id)));
    numbers.extend(of_groups.map(|silence| silence.silence_id));
    numbers.dedup();
    if numbers.is_empty() {
        let text = "no silence names this group: see `llama-triage group silences` for those that cover it";
        return Err(PageError::Refused(text.to_owned()));
    }
    let mut outcome = Outcome { done: Vec::new(), refused: Vec::new(), next: None };
    for number in numbers {
        outcome.done.push(silence::unsilence(ledger, number, by.clone()).await?);
    }
    Ok(outcome)
}

/// Makes a plan of the chosen items, or of all open ones up to a limit, and leads to it.
async fn planned(
    console: &Arc<Console>,
    ledger: &Ledger,
    form: &Pairs,
    groups: Vec<String>,
    by: &Person,
) -> Result<Outcome, PageError> {
    let setup = console.setup();
    if setup.retries.is_none() {
        return Err(PageError::Forbidden("plans need the configuration".to_owned()));
    }
    let limit = value(form, "limit");
    let limit: Option<u32> = (!limit.is_empty())
        .then(|| limit.parse().ok().filter(|limit| *limit > 0))
        .map(|limit| limit.ok_or_else(|| PageError::Refused("the number of items must be 1 or more".to_owned())))
        .transpose()?;
    let mut items = values(form, "item");
    if items.is_empty() {
        if groups.is_empty() {
            return Err(PageError::Refused("choose groups or items to retry".to_owned()));
        }
        let state = PLANNED_STATES.map(str::to_owned).to_vec();
        let (filter, path, now) =
            (Filter { group: groups, state, ..Filter::default() }, console.ledger.clone(), by.now);
        let read = tokio::task::spawn_blocking(move || item_ids(&path, &filter, now));
        items = read.await.map_err(|error| PageError::Internal(error.into()))??;
    }
    let request = Request { items, limit, force_attempts: false, permanent: true };
    // Making a plan reads much and asks LlamaCloud: it has a thread to itself.
    let (ledger, by, threads) = (ledger.clone(), by.clone(), tokio::runtime::Handle::current());
    let drafted = tokio::task::spawn_blocking(move || {
        let Some(retries) = &setup.retries else { return Err(anyhow::anyhow!("the console has no configuration")) };
        let reprocess = Reprocess::new(&ledger, &setup.projects, &retries.rules, &retries.config, by.now);
        threads.block_on(reprocess.draft(request, &by.name))
    });
    let draft = drafted.await.map_err(|error| PageError::Internal(error.into()))??;
    let next = format!("{}/p/{}", console.base, encoded(&draft.plan_id));
    Ok(Outcome { done: Vec::new(), refused: Vec::new(), next: Some(next) })
}

/// Approves a plan of exactly the number of items that the person saw.
async fn applied(ledger: &Ledger, form: &Pairs, why: &str, by: &Person) -> Result<Outcome, PageError> {
    let (why, plan) = (reason(why)?, value(form, "plan"));
    let draft = approvable(ledger, plan, by).await?;
    if value(form, "items") != draft.items.to_string() {
        let text = format!("the plan has {} items: type this number to submit it", draft.items);
        return Err(PageError::Refused(text));
    }
    Ok(approve(ledger, &draft, &why, by).await?.into())
}
