//! The grouper: the one door to the module.

use crate::grouping::body;
use crate::grouping::form_index::FormIndex;
use crate::grouping::id::{GroupHandle, GroupId};
use crate::grouping::item_name::mask_item_name;
use crate::grouping::title::{self, Titles};
use crate::grouping::tokens::form::{Form, hash_of};
use crate::grouping::tokens::neighbours::shape;
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::token::{Kinds, Token, TokenKind, WordShape, hash_code};
use crate::model::item::Kind;
use rustc_hash::{FxHashMap, FxHasher};
use std::borrow::Cow;
use std::hash::Hasher;

/// What is grouped, and what the class of a new group is decided from: one failed or skipped item.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Items of different kinds never share a group.
    pub kind: Kind,
    /// The job type of its batch; only distinguishes groups of failed items without a message.
    pub job_type: &'a str,
    /// Why a skipped item was skipped; not looked at for failed ones.
    pub skip_reason: Option<&'a str>,
    /// The error message; white space alone counts as none.
    pub message: Option<&'a str>,
    /// What the item is called; its own name inside the message is no part of what went wrong.
    pub item_name: Option<&'a str>,
}

/// Stands for a message in which no token was found.
const WORDLESS: &str = "(message without words)";

/// Exact texts remembered.
const TEXTS: usize = 25_000;
/// Forms taken in by a learned template, remembered.
const TAKEN: usize = 7_000;

/// Groups messages at the moment they are seen. Deterministic: the same subjects in the same order give the same groups.
#[derive(Debug)]
pub struct Grouper {
    pub(crate) index: FormIndex,
    pub(crate) ids: Vec<GroupId>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) by_id: FxHashMap<GroupId, u32>,
    pub(crate) titles: Titles,
    texts: FxHashMap<u64, u32>,
    taken: FxHashMap<u64, u32>,
    tokens: Vec<Token>,
    learned: usize,
}

impl Default for Grouper {
    fn default() -> Self {
        Self::new()
    }
}

/// A subject read into tokens.
pub(crate) struct TokenizedSubject {
    pub(crate) text: String,
    pub(crate) form: Form,
    pub(crate) tokens: Vec<Token>,
}

impl Grouper {
    /// No groups yet.
    pub fn new() -> Self {
        Self {
            index: FormIndex::default(),
            ids: Vec::new(),
            kinds: Vec::new(),
            by_id: FxHashMap::default(),
            titles: Titles::default(),
            texts: FxHashMap::default(),
            taken: FxHashMap::default(),
            tokens: Vec::with_capacity(64),
            learned: 0,
        }
    }

    /// The group of a subject; founds one if need be.
    pub fn assign(&mut self, subject: &Subject) -> GroupHandle {
        let Some(message) = message_of(subject) else { return self.assign_silent(subject) };
        let message = message.as_ref();
        let seed = seed_of(subject);
        let text_hash = hash_text(seed, message);
        if let Some(&group) = self.texts.get(&text_hash) {
            return GroupHandle(group);
        }
        let (text, cut) = body::telling_part(message);
        let mut tokens = std::mem::take(&mut self.tokens);
        let cut = read(&text, cut, &mut tokens);
        let form = if tokens.is_empty() {
            self.constant(subject.kind, &[WORDLESS])
        } else {
            self.form_for(seed, subject, &text, &tokens, cut)
        };
        self.tokens = tokens;
        let group = self.index.families.of(form);
        self.forget_outdated_answers();
        remember(&mut self.texts, TEXTS, text_hash, group);
        GroupHandle(group)
    }

    /// The form a read message belongs to, new or known.
    fn form_for(&mut self, seed: u64, subject: &Subject, text: &str, tokens: &[Token], cut: bool) -> u32 {
        let hash = hash_of(seed, tokens.iter().map(|token| token.hash));
        if let Some(form) = self.index.known(hash) {
            if self.index.form_mut(form).note_kinds(tokens) {
                self.index.families.mark_changed(form);
            }
            return form;
        }
        if let Some(&form) = self.taken.get(&hash) {
            return form;
        }
        let form = with_reason(subject, Form::of(seed, text, tokens, cut));
        let taken = self.index.taken_in(&form);
        let index = match taken {
            Some(template) => template,
            None if self.index.is_full() => return self.overflow_group(subject.kind),
            None => self.enter(subject.kind, form),
        };
        if taken.is_some() {
            remember(&mut self.taken, TAKEN, hash, index);
        }
        index
    }

    fn enter(&mut self, kind: Kind, form: Form) -> u32 {
        let index = self.index.add_form(form);
        if self.index.families.len() > self.ids.len() {
            self.name(kind, index);
        }
        index
    }

    /// Gives the group just founded its id.
    pub(crate) fn name(&mut self, kind: Kind, form: u32) {
        let canonical = self.index.form(form).canonical();
        let id = (0..)
            .map(|turn| GroupId::new(kind.as_str(), &canonical, turn))
            .find(|id| !self.by_id.contains_key(id))
            .expect("there are more turns than groups");
        self.use_stored_id(id, kind);
    }

    /// Takes up a stored group's id for the group just founded.
    pub(crate) fn use_stored_id(&mut self, id: GroupId, kind: Kind) -> u32 {
        let group = self.ids.len() as u32;
        self.by_id.insert(id.clone(), group);
        self.ids.push(id);
        self.kinds.push(kind);
        group
    }

    /// Items that say nothing: by reason if skipped, by job type if failed.
    fn assign_silent(&mut self, subject: &Subject) -> GroupHandle {
        let form = silent_form(subject);
        let index = self.form_of_words(subject.kind, form);
        GroupHandle(self.index.families.of(index))
    }

    /// The one group for everything beyond the bound on forms.
    fn overflow_group(&mut self, kind: Kind) -> u32 {
        self.constant(kind, &["(other messages)"])
    }

    fn constant(&mut self, kind: Kind, words: &[&str]) -> u32 {
        self.form_of_words(kind, word_form(plain_seed(kind), words))
    }

    /// A form of fixed words; there are few of them, so they may exceed the bound on forms, except those named by the input.
    fn form_of_words(&mut self, kind: Kind, form: Form) -> u32 {
        match self.index.known(form.hash()) {
            Some(index) => index,
            None if self.index.is_full() && !form.text.starts_with('(') => self.overflow_group(kind),
            None => self.enter(kind, form),
        }
    }

    /// Takes the learned templates of restored groups as settled.
    pub(crate) fn note_learned(&mut self) {
        self.learned = self.index.learned_count();
    }

    /// After a new learned template earlier answers may be outdated.
    fn forget_outdated_answers(&mut self) {
        if self.index.learned_count() != self.learned {
            self.learned = self.index.learned_count();
            self.texts.clear();
            self.taken.clear();
        }
    }

    /// The group that lives on after merges.
    pub fn resolve(&self, group: GroupHandle) -> GroupHandle {
        GroupHandle(self.index.families.survivor(group.0))
    }

    /// Public id of the survivor.
    pub fn id(&self, group: GroupHandle) -> &GroupId {
        &self.ids[self.resolve(group).0 as usize]
    }

    /// Kind of the items in the group.
    pub fn kind(&self, group: GroupHandle) -> Kind {
        self.kinds[group.0 as usize]
    }

    /// The survivor's template, slots in angle brackets.
    pub fn template(&self, group: GroupHandle) -> String {
        self.index.form(self.index.families.face_of(group.0)).template()
    }

    /// What a user would call the survivor: its template as a sentence, shortened. Unlike that of any other group from the
    /// next [`Grouper::take_changes`] on.
    pub fn title(&self, group: GroupHandle) -> String {
        let survivor = self.index.families.survivor(group.0);
        match self.titles.of(survivor) {
            Some(title) => title.to_owned(),
            None => title::title(self.index.form(self.index.families.face_of(survivor))),
        }
    }

    /// Gives a group its title; where another has the same, one that says what differs.
    pub(crate) fn entitle(&mut self, group: u32) {
        let form = self.index.form(self.index.families.face_of(group));
        let title = title::title(form);
        let title = match self.titles.owner(&title).filter(|&owner| owner != group) {
            None => title,
            Some(owner) => {
                let beside = title::title_beside(form, self.index.form(self.index.families.face_of(owner)));
                match self.titles.owner(&beside).filter(|&owner| owner != group) {
                    None => beside,
                    Some(_) => format!("{title} ({})", self.ids[group as usize]),
                }
            }
        };
        self.titles.put(group, title);
    }

    /// Every group is to be stored again, with a title by today's rules.
    pub(crate) fn renew_titles(&mut self) {
        self.titles = Titles::default();
        self.index.families.mark_all_changed();
    }

    /// The group with this id, merged or not.
    pub fn handle_of(&self, id: &GroupId) -> Option<GroupHandle> {
        self.by_id.get(id).copied().map(GroupHandle)
    }

    /// All groups that have not been merged into another, oldest first.
    pub fn survivors(&self) -> impl Iterator<Item = GroupHandle> + '_ {
        (0..self.index.families.len() as u32).filter(|&group| !self.index.families.is_merged(group)).map(GroupHandle)
    }

    /// A person says two groups are one; `into` lives on. Nothing undoes it.
    pub fn merge(&mut self, from: GroupHandle, into: GroupHandle) {
        self.index.families.absorb(from.0, into.0);
    }

    /// Reads a subject alone.
    pub(crate) fn reading_of(subject: &Subject) -> TokenizedSubject {
        let Some(message) = message_of(subject) else {
            return TokenizedSubject { text: String::new(), form: silent_form(subject), tokens: Vec::new() };
        };
        let (text, cut) = body::telling_part(&message);
        let mut tokens = Vec::new();
        let cut = read(&text, cut, &mut tokens);
        if tokens.is_empty() {
            return TokenizedSubject {
                text: text.into_owned(),
                form: word_form(plain_seed(subject.kind), &[WORDLESS]),
                tokens,
            };
        }
        let form = with_reason(subject, Form::of(seed_of(subject), &text, &tokens, cut));
        TokenizedSubject { text: text.into_owned(), form, tokens }
    }
}

/// Keeps an answer; a full memory begins anew, which costs time and changes no answer.
fn remember(answers: &mut FxHashMap<u64, u32>, most: usize, hash: u64, answer: u32) {
    if answers.len() >= most {
        answers.clear();
    }
    answers.insert(hash, answer);
}

fn hash_text(seed: u64, text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(seed ^ (text.len() as u64).rotate_left(32));
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// The message without white space around it and with the item's name masked; none if it says nothing, or only numbers of
/// one batch, or what someone did.
fn message_of<'a>(subject: &Subject<'a>) -> Option<Cow<'a, str>> {
    if !subject.kind.is_failure() {
        return None;
    }
    let message = subject.message.map(str::trim).filter(|message| !message.is_empty())?;
    Some(subject.item_name.map_or(Cow::Borrowed(message), |name| mask_item_name(message, name)))
}

/// Scans a text; says whether it was cut.
fn read(text: &str, cut: bool, tokens: &mut Vec<Token>) -> bool {
    tokens.clear();
    let mut scanner = Scanner { text: text.as_bytes(), out: tokens, space: false, cut };
    scanner.run(0, text.len());
    let cut = scanner.cut;
    shape(text.as_bytes(), tokens);
    cut
}

fn plain_seed(kind: Kind) -> u64 {
    hash_code(kind.as_str().as_bytes())
}

/// Forms of different kinds, or of different skip reasons, never meet.
fn seed_of(subject: &Subject) -> u64 {
    let seed = plain_seed(subject.kind);
    match (subject.kind, subject.skip_reason) {
        (Kind::Skipped, Some(reason)) => seed ^ hash_code(reason.as_bytes()).rotate_left(7),
        _ => seed,
    }
}

/// Puts the skip reason before a skipped item's message, for people to read; the seed already tells the forms apart.
fn with_reason(subject: &Subject, form: Form) -> Form {
    match (subject.kind, subject.skip_reason) {
        (Kind::Skipped, Some(reason)) => form.titled(reason),
        _ => form,
    }
}

fn silent_form(subject: &Subject) -> Form {
    match (subject.kind, subject.skip_reason) {
        (Kind::Skipped, Some(reason)) => word_form(plain_seed(subject.kind), &[reason]),
        (Kind::Skipped, None) => word_form(plain_seed(subject.kind), &["(no skip reason)"]),
        (Kind::Failed, _) => word_form(plain_seed(subject.kind), &["(no error message)", subject.job_type]),
        (Kind::Cancelled, _) => word_form(plain_seed(subject.kind), &["Cancelled:", subject.job_type]),
        (Kind::Overdue, _) => word_form(plain_seed(subject.kind), &["Overdue batches:", subject.job_type]),
        (Kind::Missing, _) => {
            word_form(plain_seed(subject.kind), &["Items that LlamaCloud does not show:", subject.job_type])
        }
    }
}

/// A form of words that never vary.
fn word_form(seed: u64, words: &[&str]) -> Form {
    let text = words.join(" ");
    let mut tokens = Vec::new();
    let mut start = 0;
    for word in words {
        let end = start + word.len();
        let hash = hash_code(word.as_bytes());
        tokens.push(Token {
            part: TokenKind::Word(WordShape::Code),
            kinds: Kinds::default(),
            start: start as u32,
            end: end as u32,
            space: start > 0,
            hash,
        });
        start = end + 1;
    }
    Form::of(seed, &text, &tokens, false)
}
