//! Why a message is in the group it is in: for people who doubt it.

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::{GroupHandle, GroupId};
use crate::grouping::tokens::token::{MARK, TokenKind};
use serde::Serialize;

/// Everything a decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The part of the message that was read: without stack frames and markup, cut if long.
    pub considered: String,
    /// What was found not to matter, in order: the kind of slot and the text in it.
    pub masks: Vec<(String, String)>,
    /// The tokens compared.
    pub tokens: Vec<String>,
    /// The group, if the message has one already.
    pub group: Option<String>,
    /// In one sentence.
    pub why: String,
    /// The other group that shares most tokens, its template, and the shared part from 0 to 1.
    pub nearest: Option<(String, String, f64)>,
}

impl Grouper {
    /// Explains where a subject belongs; does not change anything.
    pub fn explain(&self, subject: &Subject) -> Explanation {
        let reading = Self::reading_of(subject);
        let known = self.index.known(reading.form.hash());
        let taken = known.or_else(|| self.index.matching(&reading.form));
        let group = taken.map(|form| self.index.families.of(form));
        let id = |group: u32| -> &GroupId { self.id(GroupHandle(group)) };
        let why = match (known, taken, group) {
            (Some(_), _, Some(group)) => format!("the same tokens were seen before in {}", id(group)),
            (None, Some(form), Some(group)) => format!("the template {:?} of {} takes it in", self.index.form(form).template(), id(group)),
            _ if self.index.is_full() => "there is no room for another form; it goes to the group of all other messages".to_owned(),
            _ => "no form with these tokens was seen before; it would be compared with all others and found a group if nothing joins them".to_owned(),
        };
        let nearest = self.index.nearest(&reading.form, group).map(|(form, shared)| {
            let other = self.index.families.of(form);
            (id(other).to_string(), self.template(GroupHandle(other)), (shared * 100.0).round() / 100.0)
        });
        let masks = reading.tokens.iter().filter(|token| token.part == TokenKind::Slot);
        Explanation {
            masks: masks
                .map(|token| {
                    (
                        token.kinds.name().to_owned(),
                        reading.text[token.start as usize..token.end as usize].replace(MARK, "<item>"),
                    )
                })
                .collect(),
            tokens: reading.form.pieces.iter().map(|piece| reading.form.shown(piece)).collect(),
            considered: reading.text.replace(MARK, "<item>"),
            group: group.map(|group| id(group).to_string()),
            why,
            nearest,
        }
    }
}
