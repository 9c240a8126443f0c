//! What a digest leaves out, it counts, and names the command that shows it.

use crate::model::fault::Fault;
use crate::notify::channels::{slack, teams};
use crate::notify::render::text;
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::busy;
use crate::triage::digest::build::count_changes;
use crate::triage::digest::model::{Digest, GroupEntry, Reason};
use crate::triage::digest::remark::Remark;
use crate::triage::digest::size_limit::{Tier, fit, keep};

/// Twenty-five new groups, one that ended last.
fn many() -> Digest {
    let mut digest = busy();
    let (new, resolved) = (digest.changes[0].clone(), Reason::Resolved);
    let named = |n: usize| GroupEntry { group_id: format!("g-{n}"), reason: Reason::New, ..new.clone() };
    digest.changes = (0..25).map(named).collect();
    digest.changes.push(GroupEntry { group_id: "g-over".into(), reason: resolved, open_items: 0, ..new });
    digest.still_open.clear();
    digest.totals = count_changes(digest.totals, &digest.changes, &[]);
    digest.left_out = Default::default();
    digest
}

#[test]
fn what_is_counted_as_resolved_is_named() {
    let shown = text::render(&keep(&many(), 20, 1));
    assert!(shown.contains("1 resolved group") && shown.contains("report group g-over"), "{shown}");
    assert!(
        shown.contains(
            "Not listed: 6 more groups with 576 open items (6 new). All: llama-triage report groups --limit 0"
        ),
        "{shown}"
    );
    let none = text::render(&fit(&many(), Tier::TotalsOnly));
    assert!(none.contains("26 more groups with 2400 open items (25 new, 1 resolved)"), "{none}");
}

#[test]
fn items_that_are_not_shown_are_counted_with_the_command_that_lists_them() {
    let mut digest = busy();
    let entry = &mut digest.changes[0];
    entry.open_items = 1;
    entry.samples.truncate(1);
    let shown = text::render(&digest);
    assert!(!shown.contains("1 of 1 open"), "{shown}");
    digest.changes[0].open_items = 37;
    let id = &digest.changes[0].group_id;
    let line =
        format!("1 of 37 open items. All: llama-triage report items --group {id} --state open,retrying --limit 0");
    assert!(text::render(&digest).contains(&line));
}

#[test]
fn chat_counts_the_open_groups_that_it_leaves_out() {
    let mut digest = busy();
    let entry = GroupEntry { title: "t".repeat(90), ..digest.changes[0].clone() };
    digest.changes.clear();
    digest.still_open = vec![entry; 40];
    let slack = slack::render(&digest, &facts()).0;
    let listed = slack.matches("(g-1f4e9c20)").count();
    assert!((1..40).contains(&listed) && slack.contains(&format!("… and {} more", 40 - listed)), "{listed}: {slack}");
}

#[test]
fn chat_counts_the_faults_and_remarks_that_it_leaves_out() {
    let mut digest = busy();
    let fault = |n| Fault {
        fault: format!("f{n}"),
        text: "t".into(),
        since: digest.created_at,
        ended: false,
        alert_scope: None,
    };
    digest.faults = (0..5).map(fault).collect();
    digest.remarks = (0..5).map(|n| Remark::digest(format!("remark {n}"))).collect();
    let slack = slack::render(&digest, &facts()).0;
    assert!(slack.contains("and 2 more worker faults: llama-triage report") && slack.contains("and 2 more remarks"));
    let teams = teams::render(&digest, &facts()).0;
    assert!(teams.contains("and 2 more worker faults: llama-triage report") && teams.contains("and 3 more remarks"));
}
