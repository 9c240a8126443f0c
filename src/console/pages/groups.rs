//! `/groups`: all groups, filtered, sorted, by pages.

use serde::Serialize;
use strum::VariantNames as _;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::{Pairs, value};
use crate::model::class::Class;
use crate::model::item::Kind;
use crate::report::filter::Filter;
use crate::report::question::Question;
use crate::report::rows::GroupRow;
use crate::report::store::groups;
use crate::report::when;
use crate::scan::store::project;

/// States that are asked for if none is.
const OPEN: &str = "open";

#[derive(Serialize)]
struct Groups {
    asked: Asked,
    choices: Vec<Choice>,
    all: u64,
    open_items: u64,
    groups: Vec<GroupRow>,
    paging: Paging,
}

#[derive(Serialize)]
struct Asked {
    q: String,
}

/// A list to choose from.
#[derive(Serialize)]
struct Choice {
    name: &'static str,
    label: &'static str,
    options: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    value: String,
    label: String,
    chosen: bool,
}

/// Makes the page.
///
/// # Errors
/// A filter cannot be understood, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, query: &Pairs) -> Result<String, PageError> {
    let page = page_of(query);
    let filter = Filter { limit: Some(ROWS), offset: offset(page), ..filter(desk, query)? };
    let view = desk.view(&filter)?;
    let found = groups(&view)?;
    let kept: Pairs = query.iter().filter(|(key, value)| key != "page" && !value.is_empty()).cloned().collect();
    let shown = Groups {
        asked: Asked { q: value(query, "q").to_owned() },
        choices: choices(query, &project::names(view.connection)?),
        all: found.counts.all(),
        open_items: found.open_items,
        paging: Paging::new(page, found.rows.len() as u64, Some(found.counts.all()), &kept),
        groups: found.rows,
    };
    desk.render("groups.html", "Groups", "Groups", &shown)
}

/// What a query asks for.
///
/// # Errors
/// A time or a kind cannot be understood.
pub(crate) fn filter(desk: &Desk<'_>, query: &Pairs) -> Result<Filter, PageError> {
    let one = |name: &str| Some(value(query, name).to_owned()).filter(|value| !value.is_empty());
    let list = |name: &str| one(name).into_iter().collect::<Vec<_>>();
    let states = Question::Groups.states();
    let state = match one("state").as_deref() {
        None | Some(OPEN) => states.iter().filter(|state| **state != "resolved").map(|s| (*s).to_owned()).collect(),
        Some("all") => Vec::new(),
        Some(state) => vec![state.to_owned()],
    };
    let time = |text: String| {
        when::parse(&text, desk.now, &desk.zone()).map_err(|error| PageError::Refused(error.to_string()))
    };
    let kind = one("kind").map(|kind| {
        crate::model::item::Kind::try_from(kind.as_str()).map_err(|_| PageError::Refused(format!("no kind {kind:?}")))
    });
    Ok(Filter {
        words: one("q"),
        state,
        kind: kind.transpose()?,
        class: list("class"),
        project: list("project"),
        since: one("since").map(time).transpose()?,
        sort: one("sort").filter(|sort| Question::Groups.sorts().contains(&sort.as_str())),
        ..Filter::default()
    })
}

fn choices(query: &Pairs, projects: &[String]) -> Vec<Choice> {
    let choice = |name: &'static str, label: &'static str, options: Vec<(String, String)>| {
        let chosen = value(query, name).to_owned();
        let options = options.into_iter().map(|(value, label)| Entry { chosen: value == chosen, value, label });
        Choice { name, label, options: options.collect() }
    };
    let words = |first: (&str, &str), words: &[&str]| {
        let mut all = vec![(first.0.to_owned(), first.1.to_owned())];
        all.extend(words.iter().map(|word| ((*word).to_owned(), (*word).to_owned())));
        all
    };
    let mut states = words(("", "open"), Question::Groups.states());
    states.push(("all".to_owned(), "all".to_owned()));
    let names: Vec<&str> = projects.iter().map(String::as_str).collect();
    let since = [("", "any time"), ("1h", "the last hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];
    let sorts = Question::Groups.sorts();
    let sorts = sorts
        .iter()
        .map(|sort| ((*sort).to_owned(), Question::Groups.order(Some(sort), None).unwrap_or(sort).to_owned()));
    vec![
        choice("state", "State", states),
        choice("class", "Class", words(("", "any"), Class::VARIANTS)),
        choice("kind", "Kind", words(("", "any"), Kind::VARIANTS)),
        choice("project", "Project", words(("", "any"), &names)),
        choice("since", "Failed in", since.map(|(value, label)| (value.to_owned(), label.to_owned())).to_vec()),
        choice("sort", "Order", sorts.collect()),
    ]
}
