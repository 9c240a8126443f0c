//! `GET /act`: the confirmation page. Links may point here; only its form executes the action.

use axum::extract::{Extension, Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use strum::VariantNames as _;

use crate::actions::silence::covered_by;
use crate::console::acts::kind::ActKind;
use crate::console::answer::{Asked, problem, read};
use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::console::guard::asking;
use crate::console::pages::{Pairs, plans, value};
use crate::model::class::Class;
use crate::report::filter::Filter;
use crate::report::rows::{GroupRow, ItemRow};
use crate::report::store::{group_named, groups, items, items_by_id};
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::store::intent;
use crate::reprocess::store::named::short;
use crate::triage::silence::Matcher;
use crate::triage::store::silence::Covered;

/// Groups that one form may act on.
const MOST_GROUPS: usize = 30;

/// Items that can be chosen one by one.
const MOST_ITEMS: u64 = 30;

/// Items that a plan has if no one says.
const PLANNED: u32 = 20;

#[derive(Serialize)]
struct Question {
    act: &'static str,
    title: &'static str,
    meaning: &'static str,
    groups: Vec<GroupRow>,
    /// The group that others are merged into.
    into: Option<GroupRow>,
    items: Vec<ItemRow>,
    plan: Option<PlanAsked>,
    intent: Option<IntentAsked>,
    /// What a group may be said to be; empty where that is not asked.
    classes: &'static [&'static str],
    covered: Option<Vec<Covered>>,
    /// What was typed so far.
    typed: Vec<(String, String)>,
    reason: String,
    length: String,
    matcher: Matcher,
    limit: u32,
    person: Option<String>,
    /// What retries are resumed of: a group, a project, or `all`; empty where that is not asked.
    scope: String,
    needs_name: bool,
    needs_reason: bool,
    /// Whether the form acts; else it leads to the preview.
    acts: bool,
    form: String,
}

#[derive(Serialize)]
struct PlanAsked {
    plan_id: String,
    short: String,
    items: u32,
    posts: u64,
    credits: Option<f64>,
}

/// The intent that is ended.
#[derive(Serialize)]
struct IntentAsked {
    short: String,
    state: String,
    project: String,
    group_id: String,
    items: u64,
}

/// Asks.
pub(crate) async fn ask((State(console), Extension(visitor)): Asked, Query(query): Query<Pairs>) -> Response {
    let made = async {
        let kind = allowed(&visitor, value(&query, "act"))?;
        let form = console.form(&visitor)?;
        read(&console, &visitor, move |desk| question(desk, kind, &query, form)).await
    };
    match made.await {
        Ok(page) => asking(Html(page).into_response()),
        Err(error) => problem(&console, &visitor, error),
    }
}

/// The action that is asked for, if the person may do it.
///
/// # Errors
/// There is no such action, or the person may not do it.
pub(crate) fn allowed(visitor: &crate::console::Visitor, word: &str) -> Result<ActKind, PageError> {
    let kind: ActKind = word.parse().map_err(|_| PageError::NotFound(format!("action {word:?}")))?;
    let may = if kind.is_retry() { visitor.may_retry() } else { visitor.may_triage() };
    if may {
        return Ok(kind);
    }
    Err(PageError::Forbidden(match visitor.may_triage() {
        true => "retries are switched off (set console.actions = \"retry\" to allow them)".to_owned(),
        false => "actions are switched off (console.actions), or this console is read-only".to_owned(),
    }))
}

/// The values of a field that may be there several times.
pub(crate) fn values(pairs: &Pairs, name: &str) -> Vec<String> {
    let named = pairs.iter().filter(|(key, value)| key == name && !value.trim().is_empty());
    named.map(|(_, value)| value.trim().to_owned()).collect()
}

/// What a silence is asked to cover, beside whole groups.
pub(crate) fn matcher(pairs: &Pairs) -> Matcher {
    let one = |name: &str| Some(value(pairs, name).to_owned()).filter(|value| !value.is_empty());
    Matcher {
        group: None,
        message: one("match"),
        job_type: one("job-type"),
        project: one("project"),
        directory: one("directory"),
        batch: one("batch"),
        item_name: one("item-name"),
        skip_reason: one("skip-reason"),
    }
}

/// One matcher for each group, narrowed by the others; without groups the others alone.
pub(crate) fn matchers(pairs: &Pairs) -> Vec<Matcher> {
    matcher(pairs).of_each(values(pairs, "id"))
}

fn question(desk: &Desk<'_>, kind: ActKind, query: &Pairs, form: String) -> Result<String, PageError> {
    let ids = values(query, "id");
    if ids.len() > if kind.takes_several() { MOST_GROUPS } else { 1 } {
        return Err(PageError::Refused(format!("choose at most {MOST_GROUPS} groups (one for some actions)")));
    }
    let rows = rows(desk, &ids)?;
    let into = match (kind, value(query, "into")) {
        (ActKind::Merge, id) if !id.is_empty() => rows_of(desk, id)?,
        _ => None,
    };
    let is_ready = value(query, "ready") == "1" && (kind != ActKind::Merge || into.is_some());
    let covered = match (kind, is_ready) {
        (ActKind::Silence, true) => Some(covered(desk, query)?),
        _ => None,
    };
    let page = Question {
        act: kind.word(),
        title: kind.title(),
        meaning: kind.meaning(),
        items: chosen_items(desk, kind, &ids, query)?,
        plan: plan(desk, kind, value(query, "plan"))?,
        intent: intent(desk, value(query, "intent"))?,
        classes: if kind == ActKind::Class { Class::VARIANTS } else { &[] },
        covered,
        typed: kept(query),
        reason: value(query, "reason").to_owned(),
        length: value(query, "for").to_owned(),
        matcher: matcher(query),
        limit: PLANNED,
        person: desk.visitor.person.clone(),
        scope: value(query, "scope").to_owned(),
        needs_name: !desk.visitor.is_known,
        needs_reason: kind.needs_reason(),
        acts: is_ready || !kind.has_preview(),
        groups: rows,
        into,
        form,
    };
    if page.groups.is_empty() && kind.needs_group() {
        return Err(PageError::Refused("choose a group first".to_owned()));
    }
    if kind == ActKind::Abandon && page.intent.is_none() {
        return Err(PageError::Refused("choose a retry first".to_owned()));
    }
    desk.render("ask.html", kind.title(), "", &page)
}

/// What a preview hands on to the form that acts.
fn kept(query: &Pairs) -> Pairs {
    let not_again = ["ready", "form", "page"];
    query.iter().filter(|(key, value)| !not_again.contains(&key.as_str()) && !value.is_empty()).cloned().collect()
}

fn rows(desk: &Desk<'_>, ids: &[String]) -> Result<Vec<GroupRow>, PageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter { group: ids.to_vec(), ..Filter::default() };
    Ok(groups(&desk.view(&filter)?)?.rows)
}

fn rows_of(desk: &Desk<'_>, id: &str) -> Result<Option<GroupRow>, PageError> {
    Ok(rows(desk, &[id.to_owned()])?.pop())
}

fn covered(desk: &Desk<'_>, query: &Pairs) -> Result<Vec<Covered>, PageError> {
    let whole = Filter::default();
    let view = desk.view(&whole)?;
    let mut all = Vec::new();
    for matcher in matchers(query) {
        if let Some(id) = &matcher.group {
            group_named(view.connection, id)?;
        }
        all.extend(covered_by(view.connection, matcher)?);
    }
    Ok(all)
}

/// The open items that can be chosen for a retry: of the groups, or those that are named.
fn chosen_items(desk: &Desk<'_>, kind: ActKind, ids: &[String], query: &Pairs) -> Result<Vec<ItemRow>, PageError> {
    let named = values(query, "item");
    if kind != ActKind::Retry {
        return Ok(Vec::new());
    }
    if !named.is_empty() {
        let whole = Filter::default();
        return Ok(items_by_id(&desk.view(&whole)?, &named)?);
    }
    if ids.is_empty() {
        return Err(PageError::Refused("choose groups or items to retry".to_owned()));
    }
    let filter =
        Filter { group: ids.to_vec(), state: vec!["open".to_owned()], limit: Some(MOST_ITEMS), ..Filter::default() };
    Ok(items(&desk.view(&filter)?)?)
}

fn plan(desk: &Desk<'_>, kind: ActKind, id: &str) -> Result<Option<PlanAsked>, PageError> {
    if !matches!(kind, ActKind::Apply | ActKind::Cancel) || (kind == ActKind::Cancel && id.is_empty()) {
        return Ok(None);
    }
    let stored = plans::find(desk, id)?;
    let draft = Draft::of(&stored)?;
    Ok(Some(PlanAsked {
        short: short(&stored.plan_id),
        plan_id: stored.plan_id,
        items: draft.items,
        posts: draft.chunks.len() as u64,
        credits: draft.credits,
    }))
}

fn intent(desk: &Desk<'_>, id: &str) -> Result<Option<IntentAsked>, PageError> {
    if id.is_empty() {
        return Ok(None);
    }
    let whole = Filter::default();
    let found = intent::get(desk.view(&whole)?.connection, id)?;
    let intent = found.ok_or_else(|| PageError::NotFound(format!("intent {id:?}")))?;
    Ok(Some(IntentAsked {
        short: short(&intent.intent_id),
        state: intent.state.to_string(),
        items: intent.items.len() as u64,
        project: intent.project,
        group_id: intent.group_id,
    }))
}
