//! Why a message is in the group it is in: for people who doubt it.

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::{GroupHandle, GroupId};
use crate::grouping::tokens::token::Part;
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
        let reading = self.reading(subject);
        let known = self.book.known(reading.form.hash());
        let taken = known.or_else(|| self.book.matching(&reading.form));
        let group = taken.map(|form| self.book.families.of(form));
        let id = |group: u32| -> &GroupId { self.id(GroupHandle(group)) };
        let why = match (known, taken, group) {
            (Some(_), _, Some(group)) => format!("the same tokens were seen before in {}", id(group)),
            (None, Some(form), Some(group)) => format!("it matches the template {:?} of {}", self.book.form(form).template(), id(group)),
            _ if self.book.is_full() => "the limit of templates is reached; it joins the group of all other messages".to_owned(),
            _ => "no message with these tokens was seen before; it is compared with all templates and starts a new group if none matches".to_owned(),
        };
        let nearest = self.book.nearest(&reading.form, group).map(|(form, shared)| {
            let other = self.book.families.of(form);
            (id(other).to_string(), self.template(GroupHandle(other)), (shared * 100.0).round() / 100.0)
        });
        let masks = reading.tokens.iter().filter(|token| token.part == Part::Slot);
        Explanation {
            masks: masks
                .map(|token| {
                    (token.kinds.name().to_owned(), reading.text[token.start as usize..token.end as usize].to_owned())
                })
                .collect(),
            tokens: reading.form.pieces.iter().map(|piece| reading.form.shown(piece)).collect(),
            considered: reading.text,
            group: group.map(|group| id(group).to_string()),
            why,
            nearest,
        }
    }
}
