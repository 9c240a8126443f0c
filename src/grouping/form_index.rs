//! All forms: which group each form belongs to, and which places have turned out to be variable.
//!
//! What it holds is a function of the forms entered and the merges people made, in their order; see
//! [`crate::grouping::state`], which stores exactly those. Evidence only grows: groups are joined, never split.

use crate::grouping::family::Families;
use crate::grouping::open_slots::{OpenSlots, Wider};
use crate::grouping::tokens::form::Form;
use crate::grouping::tokens::token::{WordShape, fold};
use rustc_hash::FxHashMap;

/// Learned templates of one length and first word that are tried on a new form.
const TRIED: usize = 64;
/// Forms kept; a message in a form beyond them belongs to no group of its own.
pub(crate) const MAX_FORMS: usize = 8192;

/// A form with learned slots, and the form that stands for it: itself, or a message that reads the same.
#[derive(Debug)]
struct Template {
    form: Form,
    stands: u32,
}

/// All forms and the evidence between them.
#[derive(Debug, Default)]
pub(crate) struct FormIndex {
    forms: Vec<Form>,
    pub(crate) families: Families,
    by_hash: FxHashMap<u64, u32>,
    /// Forms with learned slots, and all forms, by length and first word.
    learned: FxHashMap<u64, Vec<Template>>,
    shelves: FxHashMap<u64, Vec<u32>>,
    learned_forms: usize,
    open_slots: OpenSlots,
}

impl FormIndex {
    /// The form with this hash.
    pub(crate) fn known(&self, hash: u64) -> Option<u32> {
        self.by_hash.get(&hash).copied()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.forms.len() >= MAX_FORMS
    }

    pub(crate) fn form(&self, index: u32) -> &Form {
        &self.forms[index as usize]
    }

    pub(crate) fn form_mut(&mut self, index: u32) -> &mut Form {
        &mut self.forms[index as usize]
    }

    /// How many forms have learned slots.
    pub(crate) fn learned_count(&self) -> usize {
        self.learned_forms
    }

    /// The form that stands for this one without it being entered; none if it is to be entered.
    pub(crate) fn taken_in(&self, form: &Form) -> Option<u32> {
        self.matching(form).filter(|_| self.is_full() || !self.open_slots.wants(form))
    }

    /// The learned template that takes this form in.
    pub(crate) fn matching(&self, form: &Form) -> Option<u32> {
        if let Some(stands) = self.open_slots.matching(form) {
            return Some(stands);
        }
        let [first, any] = bucket_keys(form);
        [first, any]
            .iter()
            .filter_map(|shelf| self.learned.get(shelf))
            .flat_map(|templates| templates.iter().take(TRIED))
            .find(|template| matches(&template.form, form))
            .map(|template| template.stands)
    }

    /// Adds a form no other takes in, follows what it proves, and says which form it became.
    /// It joins the oldest group it proves to be part of; without one it founds a group.
    pub(crate) fn add_form(&mut self, form: Form) -> u32 {
        self.add_form_to(form, None, false)
    }

    /// As [`FormIndex::add_form`], into the given group or into one of its own: how stored forms come back.
    pub(crate) fn add_form_to(&mut self, form: Form, group: Option<u32>, alone: bool) -> u32 {
        let matched = self.matching(&form);
        let index = self.add(form);
        let mut partners = Vec::from_iter(matched);
        let mut wider = Vec::new();
        self.compare_all(index, &mut partners, &mut wider);
        let oldest = partners.iter().filter(|_| !alone).map(|&form| self.families.of(form)).min();
        let family = match group.or(oldest) {
            Some(group) => self.families.join(index, group),
            None => self.families.new_group(index),
        };
        self.unite(family, &partners);
        while let Some(next) = wider.pop() {
            let there = self.widen(next.form, family, &mut wider);
            if let Some(pattern) = next.pattern {
                self.open_slots.stands(pattern, there);
            }
        }
        index
    }

    /// Adds a form that follows from others to their group; says which form stands for it.
    fn widen(&mut self, form: Form, family: u32, wider: &mut Vec<Wider>) -> u32 {
        let mut partners = self.forms_matched_by(&form);
        partners.extend(self.matching(&form));
        let index = match self.known(form.hash()) {
            Some(there) => {
                partners.push(there);
                self.keep_template(&form, there);
                // The wider form was a message itself; it stands for the group if it says less than the present face.
                let face = self.families.face_of(family);
                if self.form(there).constants(0..0) < self.form(face).constants(0..0) {
                    self.unite(family, &partners);
                    self.families.face(there);
                }
                there
            }
            None => {
                let index = self.add(form);
                let family = self.families.survivor(family);
                self.families.join(index, family);
                self.families.face(index);
                self.compare_all(index, &mut partners, wider);
                index
            }
        };
        self.unite(family, &partners);
        index
    }

    /// Puts back a form that followed from others, should it not have followed this time.
    pub(crate) fn put_back(&mut self, form: Form, group: u32) -> u32 {
        match self.known(form.hash()) {
            Some(there) => there,
            None => {
                let index = self.add(form);
                self.families.join(index, group);
                index
            }
        }
    }

    fn unite(&mut self, family: u32, partners: &[u32]) {
        for &partner in partners {
            let (one, two) = (self.families.survivor(family), self.families.of(partner));
            if one == two {
                continue;
            }
            let (older, younger) = (one.min(two), one.max(two));
            let wider = self.families.face_of(younger);
            let widens = self.form(wider).is_learned() && !self.form(self.families.face_of(older)).is_learned();
            self.families.absorb(younger, older);
            if widens {
                self.families.face(wider);
            }
        }
    }

    fn add(&mut self, form: Form) -> u32 {
        let index = self.forms.len() as u32;
        self.by_hash.insert(form.hash(), index);
        let [first, any] = bucket_keys(&form);
        if form.is_learned() {
            self.keep_template(&form, index);
        }
        self.shelves.entry(first).or_default().push(index);
        self.shelves.entry(any).or_default().push(index);
        self.forms.push(form);
        index
    }

    /// Keeps a form with learned slots as a template, unless it is one.
    fn keep_template(&mut self, form: &Form, stands: u32) {
        let templates = self.learned.entry(shelf_of(form)).or_default();
        if templates.iter().all(|template| template.form.hash() != form.hash()) {
            templates.push(Template { form: form.clone(), stands });
            self.learned_forms += 1;
        }
    }

    /// Forms entered before that the learned form takes in.
    fn forms_matched_by(&self, form: &Form) -> Vec<u32> {
        let others = self.shelves.get(&shelf_of(form)).into_iter().flatten().copied();
        others.filter(|&other| matches(form, &self.forms[other as usize])).collect()
    }

    fn compare_all(&mut self, index: u32, partners: &mut Vec<u32>, wider: &mut Vec<Wider>) {
        let found = self.open_slots.add(index, &self.forms);
        partners.extend(found.partners);
        wider.extend(found.wider);
    }

    /// The form that shares most tokens with `form`, among those of like length, and the shared part.
    pub(crate) fn nearest(&self, form: &Form, except: Option<u32>) -> Option<(u32, f64)> {
        let overlap = |other: &Form| {
            let same =
                other.pieces.iter().filter(|piece| form.pieces.iter().any(|mine| mine.hash == piece.hash)).count();
            2.0 * same as f64 / (other.pieces.len() + form.pieces.len()).max(1) as f64
        };
        (0..self.forms.len() as u32)
            .filter(|&index| self.forms[index as usize].seed == form.seed && Some(self.families.of(index)) != except)
            .map(|index| (index, overlap(&self.forms[index as usize])))
            .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0)))
    }
}

fn bucket_keys(form: &Form) -> [u64; 2] {
    let len = fold(form.seed, form.pieces.len() as u64);
    [fold(len, form.pieces.first().map_or(0, |piece| piece.hash)), len]
}

/// Where forms stand that a learned form may take in.
fn shelf_of(learned: &Form) -> u64 {
    let [first, any] = bucket_keys(learned);
    if learned.pieces[0].learned { any } else { first }
}

/// Whether the template's learned slots make it take the form in.
fn matches(template: &Form, form: &Form) -> bool {
    let fits = |look| look != WordShape::Code && look != WordShape::Status;
    template.seed == form.seed
        && template.pieces.len() == form.pieces.len()
        && template.pieces.iter().zip(&form.pieces).all(|(wide, narrow)| {
            wide.hash == narrow.hash || wide.learned && (narrow.is_slot() || narrow.look().is_some_and(fits))
        })
}
