//! Stand-in for grouping: masks digits and quoted text, one group per template. The real one replaces this folder.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::core::item::Kind;

/// What is grouped: one failed or skipped state.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Failed or skipped.
    pub kind: Kind,
    /// The batch's job type.
    pub job_type: &'a str,
    /// The skip reason, if any.
    pub skip_reason: Option<&'a str>,
    /// The message, if any.
    pub message: Option<&'a str>,
}

/// The stable id of a group, `g-…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub String);

impl GroupId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A group within one grouper; means nothing to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupHandle(u32);

/// A group as the ledger keeps it.
#[derive(Clone, Debug)]
pub struct StoredGroup {
    /// Its id.
    pub id: GroupId,
    /// Failed or skipped.
    pub kind: Kind,
    /// The template.
    pub template: String,
    /// A line for people.
    pub title: String,
    /// The grouper's own state.
    pub state: Vec<u8>,
    /// The group that it became part of.
    pub merged_into: Option<GroupId>,
}

/// Groups messages as they come.
#[derive(Default)]
pub struct Grouper {
    groups: Vec<StoredGroup>,
    by_id: HashMap<String, u32>,
    changed: Vec<u32>,
}

impl Grouper {
    /// The grouper as it was when these groups were stored.
    pub fn restore(stored: Vec<StoredGroup>) -> Grouper {
        let by_id = stored.iter().zip(0..).map(|(g, n)| (g.id.0.clone(), n)).collect();
        Grouper { groups: stored, by_id, changed: Vec::new() }
    }

    /// The group of a subject.
    pub fn assign(&mut self, subject: &Subject<'_>) -> GroupHandle {
        let template = mask(subject);
        let hash = Sha256::digest(template.as_bytes());
        let mut id = "g-".to_owned();
        for byte in &hash[..4] {
            let _ = write!(id, "{byte:02x}");
        }
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let handle = *self.by_id.entry(id.clone()).or_insert(next);
        if handle == next {
            self.groups.push(StoredGroup {
                id: GroupId(id),
                kind: subject.kind,
                title: template.clone(),
                template,
                state: Vec::new(),
                merged_into: None,
            });
            self.changed.push(handle);
        }
        GroupHandle(handle)
    }

    /// The survivor of a group.
    pub fn resolve(&self, handle: GroupHandle) -> GroupHandle {
        match &self.groups[handle.0 as usize].merged_into {
            Some(id) => GroupHandle(self.by_id[&id.0]),
            None => handle,
        }
    }

    /// Its id.
    pub fn id(&self, handle: GroupHandle) -> &GroupId {
        &self.groups[handle.0 as usize].id
    }

    /// Its template.
    pub fn template(&self, handle: GroupHandle) -> &str {
        &self.groups[handle.0 as usize].template
    }

    /// Its title.
    pub fn title(&self, handle: GroupHandle) -> &str {
        &self.groups[handle.0 as usize].title
    }

    /// What is new or different since the last call.
    pub fn take_changes(&mut self) -> Vec<StoredGroup> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|n| self.groups[n as usize].clone()).collect()
    }
}

fn mask(subject: &Subject<'_>) -> String {
    let mut template = format!("{} ", subject.kind.as_str());
    template.push_str(subject.skip_reason.unwrap_or(""));
    let message = subject.message.unwrap_or("(no error message)");
    for word in message.split_whitespace() {
        template.push(' ');
        template.push_str(if word.bytes().any(|b| b.is_ascii_digit()) { "<*>" } else { word });
    }
    if subject.message.is_none() {
        template.push_str(subject.job_type);
    }
    template
}
