//! Families of forms: the groups, who survived whom, and which form stands for each.
//!
//! Only the tree of groups; what makes two of them one is decided by [`crate::grouping::form_index`] or by a user.

use std::collections::BTreeSet;

/// One group, alive or merged into another.
#[derive(Debug, Clone)]
struct Family {
    parent: u32,
    /// The form whose template stands for the group; only right for a survivor.
    face: u32,
    /// Forms entered while they belonged here.
    own: Vec<u32>,
}

/// All groups, by order of founding.
#[derive(Debug, Default)]
pub(crate) struct Families {
    families: Vec<Family>,
    /// Founding-order group of each form.
    owner: Vec<u32>,
    changed: BTreeSet<u32>,
}

impl Families {
    pub(crate) fn len(&self) -> usize {
        self.families.len()
    }

    /// The surviving group of a form.
    pub(crate) fn of(&self, form: u32) -> u32 {
        self.survivor(self.owner[form as usize])
    }

    /// The group that took this one in, or itself.
    pub(crate) fn survivor(&self, group: u32) -> u32 {
        let mut at = group;
        while self.families[at as usize].parent != at {
            at = self.families[at as usize].parent;
        }
        at
    }

    /// Whether the group has been merged into another.
    pub(crate) fn is_merged(&self, group: u32) -> bool {
        self.families[group as usize].parent != group
    }

    /// A new group on a form.
    pub(crate) fn new_group(&mut self, form: u32) -> u32 {
        let group = self.families.len() as u32;
        self.families.push(Family { parent: group, face: form, own: vec![form] });
        self.owner.push(group);
        self.changed.insert(group);
        group
    }

    /// Puts the next form into a group.
    pub(crate) fn join(&mut self, form: u32, group: u32) -> u32 {
        self.owner.push(group);
        self.families[group as usize].own.push(form);
        self.changed.insert(group);
        group
    }

    /// Makes a form stand for its group.
    pub(crate) fn face(&mut self, form: u32) {
        let group = self.of(form);
        self.families[group as usize].face = form;
        self.changed.insert(group);
    }

    /// `from` is now part of `into`, whatever their age.
    pub(crate) fn absorb(&mut self, from: u32, into: u32) {
        let (from, into) = (self.survivor(from), self.survivor(into));
        if from == into {
            return;
        }
        // Every group points straight at its survivor, so that looking one up stays quick.
        for group in 0..self.families.len() {
            if self.families[group].parent == from {
                self.families[group].parent = into;
                self.changed.insert(group as u32);
            }
        }
        self.changed.insert(into);
    }

    pub(crate) fn face_of(&self, group: u32) -> u32 {
        self.families[self.survivor(group) as usize].face
    }

    /// The face noted at the group itself, also when it was merged.
    pub(crate) fn own_face(&self, group: u32) -> u32 {
        self.families[group as usize].face
    }

    pub(crate) fn own_forms(&self, group: u32) -> &[u32] {
        &self.families[group as usize].own
    }

    /// Groups changed since the last call, in order of founding.
    pub(crate) fn take_changed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// Puts a stored group back as it was: its survivor and its face. Forgets that anything changed.
    pub(crate) fn put_back(&mut self, group: u32, survivor: u32, face: Option<u32>) {
        self.families[group as usize].parent = survivor;
        if let Some(face) = face {
            self.families[group as usize].face = face;
        }
        self.changed.clear();
    }

    pub(crate) fn mark_all_changed(&mut self) {
        self.changed.extend(0..self.families.len() as u32);
    }

    pub(crate) fn mark_changed(&mut self, form: u32) {
        let group = self.owner[form as usize];
        self.changed.insert(group);
    }
}
