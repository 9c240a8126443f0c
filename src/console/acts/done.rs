//! `/done`: what was done, by the audit log, and how to undo it.

use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::actions::act::{Done, find};
use crate::actions::class;
use crate::console::acts::ask::values;
use crate::console::acts::kind::ActKind;
use crate::console::answer::{Asked, problem, read};
use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::console::guard::asking;
use crate::console::pages::Pairs;
use crate::console::{Console, Visitor};
use crate::ledger::Connection;
use crate::model::class::Class;
use crate::report::filter::Filter;
use crate::report::history::AuditRow;
use crate::report::store::audit_line;

/// Lines that are shown.
const MOST: usize = 40;

#[derive(Serialize)]
struct Page {
    lines: Vec<Line>,
    refused: Vec<String>,
    needs_name: bool,
    person: Option<String>,
}

#[derive(Serialize)]
struct Line {
    row: AuditRow,
    what: String,
    undo: Option<Undo>,
    /// The `[[rule]]` that keeps a class for messages like these; none after other acts.
    rule: Option<String>,
    form: String,
}

/// The form that takes an act back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Undo {
    label: &'static str,
    fields: Vec<(String, String)>,
}

/// Shows what was done.
pub(crate) async fn done((State(console), Extension(visitor)): Asked, Query(query): Query<Pairs>) -> Response {
    let ids = values(&query, "id").iter().filter_map(|id| id.parse().ok()).take(MOST).collect();
    shown(&console, &visitor, ids, Vec::new()).await
}

/// The same for acts of which some were refused.
pub(crate) async fn partly(console: &Arc<Console>, visitor: &Visitor, done: Vec<Done>, refused: &[String]) -> Response {
    shown(console, visitor, done.iter().map(|done| done.audit_id).collect(), refused.to_vec()).await
}

async fn shown(console: &Arc<Console>, visitor: &Visitor, ids: Vec<i64>, refused: Vec<String>) -> Response {
    match read(console, visitor, move |desk| page(desk, &ids, refused)).await {
        Ok(page) => asking(Html(page).into_response()),
        Err(error) => problem(console, visitor, error),
    }
}

fn page(desk: &Desk<'_>, ids: &[i64], refused: Vec<String>) -> Result<String, PageError> {
    let whole = Filter::default();
    let view = desk.view(&whole)?;
    let mut lines = Vec::new();
    for id in ids {
        if let Some(row) = audit_line(&view, *id)? {
            let undo = undo(&row).filter(|_| desk.visitor.may_triage());
            let rule = rule(view.connection, &row)?;
            lines.push(Line { what: what(&row), undo, rule, form: desk.console.form(desk.visitor)?, row });
        }
    }
    if lines.is_empty() {
        return Err(PageError::NotFound("such action in the audit log".to_owned()));
    }
    let page = Page { lines, refused, needs_name: !desk.visitor.is_known, person: desk.visitor.person.clone() };
    desk.render("done.html", "Done", "", &page)
}

/// The rule that gives messages like those of a group the class that it was given; none after other acts.
fn rule(connection: &Connection, row: &AuditRow) -> Result<Option<String>, PageError> {
    let given = detail(row)["to"].as_str().and_then(|class| Class::try_from(class).ok());
    let Some(class) = given.filter(|_| row.action == "class") else { return Ok(None) };
    let group = find(connection, &row.subject)?;
    Ok(Some(class::rule(&group.group_id, &group.template, class)))
}

fn detail(row: &AuditRow) -> Value {
    row.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok()).unwrap_or_default()
}

/// What an act was, in the past tense.
fn what(row: &AuditRow) -> String {
    let verb = match row.action.as_str() {
        "ack" => "acknowledged",
        "unack" => "withdrew the acknowledgement of",
        "silence" => "began silence",
        "unsilence" => "ended silence",
        "assign" => "assigned",
        "unassign" => "withdrew the assignment of",
        "note" => "added a note to",
        "dismiss" => "dismissed the open items of",
        "undismiss" => "reopened the dismissed items of",
        "class" => "set the class of",
        "rename" => "renamed",
        "merge" => "merged",
        "reprocess apply" => "approved plan",
        "reprocess cancel" => "cancelled",
        "reprocess give-up" => "abandoned the retry",
        "reprocess resume" => "resumed retries of",
        other => other,
    };
    verb.to_owned()
}

/// The form that takes an act back; none where nothing does.
fn undo(row: &AuditRow) -> Option<Undo> {
    let detail = detail(row);
    let form = |kind: ActKind, label, more: &[(&str, &str)]| {
        let mut fields = vec![("act".to_owned(), kind.word().to_owned())];
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Some(Undo { label, fields })
    };
    let id = ("id", row.subject.as_str());
    let undone = ("reason", "undone");
    match row.action.as_str() {
        "ack" => form(ActKind::Unack, "Undo: withdraw it", &[id]),
        "silence" => form(ActKind::Unsilence, "Undo: end the silence", &[("silence", &row.subject)]),
        "assign" | "unassign" => {
            let before = |name: &str| detail[name].as_str().unwrap_or_default();
            match before("before") {
                "" if row.action == "assign" => form(ActKind::Unassign, "Undo: assign it to no one", &[id]),
                "" => None,
                name => {
                    let fields = [id, ("to", name), ("ticket", before("ticket_before"))];
                    form(ActKind::Assign, "Undo: assign it as before", &fields)
                }
            }
        }
        "dismiss" => form(ActKind::Undismiss, "Undo: reopen the items", &[id, undone]),
        "undismiss" => form(ActKind::Dismiss, "Undo: dismiss them again", &[id, undone]),
        "class" if detail["to"] != class::AUTOMATIC => {
            form(ActKind::Class, "Undo: classify it automatically again", &[id, ("class", class::AUTOMATIC), undone])
        }
        "rename" => {
            let before = detail["before"].as_str().unwrap_or_default();
            form(ActKind::Rename, "Undo: restore the title", &[id, ("title", before)])
        }
        "reprocess apply" => form(ActKind::Cancel, "Cancel what is not submitted yet", &[("plan", &row.subject)]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(action: &str, subject: &str, detail: Option<&str>) -> AuditRow {
        AuditRow {
            audit_id: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            actor: "ann".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            reason: None,
            detail: detail.map(str::to_owned),
        }
    }

    #[test]
    fn what_can_be_taken_back_has_the_form_for_it() {
        let fields = |row: &AuditRow| {
            undo(row).map(|undo| undo.fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&"))
        };
        assert_eq!(fields(&row("ack", "g-1", None)).as_deref(), Some("act=unack&id=g-1"));
        let assigned =
            |before: &str| row("assign", "g-1", Some(&format!("{{\"to\":\"Bo\",\"ticket\":null,{before}}}")));
        assert_eq!(fields(&assigned("\"before\":null")).as_deref(), Some("act=unassign&id=g-1"));
        let before = assigned("\"before\":\"Ann\",\"ticket_before\":\"https://t/1\"");
        assert_eq!(fields(&before).as_deref(), Some("act=assign&id=g-1&to=Ann&ticket=https://t/1"));
        assert_eq!(fields(&row("silence", "7", None)).as_deref(), Some("act=unsilence&silence=7"));
        let renamed = row("rename", "g-1", Some(r#"{"before":"Old","after":"New"}"#));
        assert_eq!(fields(&renamed).as_deref(), Some("act=rename&id=g-1&title=Old"));
        let class = |to: &str| row("class", "g-1", Some(&format!("{{\"from\":\"unknown\",\"to\":\"{to}\"}}")));
        assert_eq!(fields(&class("config")).as_deref(), Some("act=class&id=g-1&class=auto&reason=undone"));
        assert_eq!(fields(&class("auto")), None);
        assert_eq!(fields(&row("merge", "g-1", Some("{\"into\":\"g-2\"}"))), None);
        assert_eq!(fields(&row("rename", "g-1", Some("not json"))).as_deref(), Some("act=rename&id=g-1&title="));
    }
}
