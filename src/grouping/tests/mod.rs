//! What grouping promises, as tables and as properties.

pub(crate) mod properties;
pub(crate) mod tables;
pub(crate) mod traces;

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::GroupHandle;
use crate::model::item::Kind;

pub(crate) fn failed(message: &str) -> Subject<'_> {
    Subject { kind: Kind::Failed, job_type: "parse", skip_reason: None, message: Some(message), item_name: None }
}

/// Groups all messages and gives each one's group after the last.
pub(crate) fn groups(messages: &[&str]) -> Vec<GroupHandle> {
    let mut grouper = Grouper::new();
    let handles: Vec<GroupHandle> = messages.iter().map(|message| grouper.assign(&failed(message))).collect();
    handles.into_iter().map(|handle| grouper.resolve(handle)).collect()
}

#[track_caller]
pub(crate) fn one_group(messages: &[&str]) {
    let groups = groups(messages);
    for (message, group) in messages.iter().zip(&groups) {
        assert_eq!(*group, groups[0], "{message:?} should share a group with {:?}", messages[0]);
    }
}

#[track_caller]
pub(crate) fn all_apart(messages: &[&str]) {
    let groups = groups(messages);
    for (i, one) in groups.iter().enumerate() {
        for (j, other) in groups.iter().enumerate().skip(i + 1) {
            assert_ne!(one, other, "{:?} and {:?} should be apart", messages[i], messages[j]);
        }
    }
}

/// The template of one message alone.
pub(crate) fn template(message: &str) -> String {
    let mut grouper = Grouper::new();
    let handle = grouper.assign(&failed(message));
    grouper.template(handle)
}
