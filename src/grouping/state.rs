//! Groups as they are stored between runs, and back.
//!
//! A group carries the forms entered while they belonged to it, with their place in the order of all forms.
//! Entering them again in that order rebuilds all evidence, so nothing derived is stored.

use crate::grouping::VERSION;
use crate::grouping::grouper::Grouper;
use crate::grouping::id::{GroupHandle, GroupId};
use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::token::{Kinds, TokenKind, WordShape};
use crate::model::item::Kind;
use rustc_hash::FxHashMap;

/// One group for the ledger to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGroup {
    /// Public id; it never changes.
    pub id: GroupId,
    /// Kind of its items.
    pub kind: Kind,
    /// As [`Grouper::template`]; for people, never read back.
    pub template: String,
    /// As [`Grouper::title`]; for people, never read back.
    pub title: String,
    /// The group's forms. Opaque; begins with its own format number.
    pub state: Vec<u8>,
    /// The group this one lives on in, if it was merged.
    pub merged_into: Option<GroupId>,
    /// [`VERSION`] of the build that wrote it.
    pub version: u32,
}

/// Why stored groups could not be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes in `state` are no forms.
    #[error("the state of group {0} is damaged or of a format this build does not know")]
    State(GroupId),
    /// A merged group whose survivor is missing.
    #[error("group {0} is merged into {1}, which is not stored")]
    Survivor(GroupId, GroupId),
}

/// Format of the encoding below.
const FORMAT: u8 = 1;

/// A stored form: its place among all forms, and whether it came from a message or followed from others.
struct StoredForm {
    place: u32,
    entered: bool,
    form: Form,
}

/// What one group's state says: the place of the form that stands for it, and its forms.
struct StoredForms {
    face: u32,
    forms: Vec<StoredForm>,
}

impl Grouper {
    /// The groups as stored before; feeding more messages goes on as if there had been no break.
    ///
    /// # Errors
    /// A state that this build cannot read, or a reference to a group that is not there.
    pub fn restore(stored: impl IntoIterator<Item = StoredGroup>) -> Result<Self, RestoreError> {
        let stored: Vec<StoredGroup> = stored.into_iter().collect();
        let mut forms: Vec<(StoredForm, usize)> = Vec::new();
        let mut faces = Vec::new();
        for (from, group) in stored.iter().enumerate() {
            let own = read_forms(&group.state).ok_or_else(|| RestoreError::State(group.id.clone()))?;
            faces.push(own.face);
            forms.extend(own.forms.into_iter().map(|form| (form, from)));
        }
        forms.sort_by_key(|(form, _)| form.place);
        let mut grouper = Grouper::new();
        let mut handles: Vec<Option<u32>> = vec![None; stored.len()];
        for (form, from) in forms.iter().filter(|(form, _)| form.entered) {
            grouper.index.add_form_to(form.form.clone(), handles[*from], true);
            if handles[*from].is_none() {
                handles[*from] = Some(grouper.use_stored_id(stored[*from].id.clone(), stored[*from].kind));
            }
        }
        let places = put_forms_back(&mut grouper, &stored, &handles, forms)?;
        for (from, group) in stored.iter().enumerate() {
            let handle = handles[from].ok_or_else(|| RestoreError::State(group.id.clone()))?;
            let survivor = match &group.merged_into {
                Some(into) => grouper
                    .by_id
                    .get(into)
                    .copied()
                    .ok_or_else(|| RestoreError::Survivor(group.id.clone(), into.clone()))?,
                None => handle,
            };
            if group.merged_into.is_none() {
                grouper.titles.put(handle, group.title.clone());
            }
            grouper.index.families.put_back(handle, survivor, places.get(&faces[from]).copied());
        }
        grouper.note_learned();
        Ok(grouper)
    }

    /// Groups founded, widened or merged since the last call, oldest first: what has to be stored with the observations.
    pub fn take_changes(&mut self) -> Vec<StoredGroup> {
        let changed = self.index.families.take_changed();
        for &group in &changed {
            match self.index.families.is_merged(group) {
                true => self.titles.remove(group),
                false => self.entitle(group),
            }
        }
        changed.into_iter().map(|group| self.stored(group)).collect()
    }

    fn stored(&self, group: u32) -> StoredGroup {
        let families = &self.index.families;
        let mut state = vec![FORMAT];
        let face = families.own_face(group);
        put(&mut state, u64::from(face));
        for &index in families.own_forms(group) {
            let form = self.index.form(index);
            let flags = u8::from(!form.is_learned()) | u8::from(form.cut) << 1 | u8::from(form.prefix.is_some()) << 2;
            put(&mut state, u64::from(index));
            state.push(flags);
            write_form(&mut state, form);
        }
        let handle = GroupHandle(group);
        StoredGroup {
            id: self.ids[group as usize].clone(),
            kind: self.kinds[group as usize],
            template: self.template(handle),
            title: self.title(handle),
            state,
            merged_into: families.is_merged(group).then(|| self.ids[families.survivor(group) as usize].clone()),
            version: VERSION,
        }
    }
}

/// Lays the stored forms over the rebuilt ones, which know less about what their slots held; gives the new place of each.
fn put_forms_back(
    grouper: &mut Grouper,
    stored: &[StoredGroup],
    handles: &[Option<u32>],
    forms: Vec<(StoredForm, usize)>,
) -> Result<FxHashMap<u32, u32>, RestoreError> {
    let mut places = FxHashMap::default();
    for (form, from) in forms {
        let group = handles[from].ok_or_else(|| RestoreError::State(stored[from].id.clone()))?;
        let index = grouper.index.put_back(form.form.clone(), group);
        *grouper.index.form_mut(index) = form.form;
        places.insert(form.place, index);
    }
    Ok(places)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_form(out: &mut Vec<u8>, form: &Form) {
    out.extend_from_slice(&form.seed.to_le_bytes());
    if let Some(prefix) = &form.prefix {
        put(out, prefix.len() as u64);
        out.extend_from_slice(prefix.as_bytes());
    }
    put(out, form.pieces.len() as u64);
    for piece in &form.pieces {
        let (part, look) = match piece.part {
            TokenKind::Word(look) => (0, look as u8),
            TokenKind::Slot => (1, 0),
            TokenKind::Punct => (2, 0),
        };
        out.push(part | look << 2 | u8::from(piece.space) << 6 | u8::from(piece.learned) << 7);
        put(out, u64::from(piece.kinds.0));
        out.extend_from_slice(&piece.hash.to_le_bytes());
        put(out, u64::from(piece.end - piece.start));
        out.extend_from_slice(form.word(piece).as_bytes());
    }
}

/// Reads what `write_form` wrote; `None` when it ends early or makes no sense.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn hash(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        std::str::from_utf8(self.take(usize::try_from(len).ok()?)?).ok()
    }

    fn form(&mut self, flags: u8) -> Option<Form> {
        let seed = self.hash()?;
        let prefix = if flags & 4 != 0 { Some(self.text()?.into()) } else { None };
        let count = self.number()?;
        let mut form = Form { pieces: Vec::new(), text: String::new(), seed, cut: flags & 2 != 0, prefix };
        for _ in 0..count {
            let head = self.byte()?;
            let kinds = Kinds(u32::try_from(self.number()?).ok()?);
            let hash = self.hash()?;
            let start = u16::try_from(form.text.len()).ok()?;
            form.text.push_str(self.text()?);
            let end = u16::try_from(form.text.len()).ok()?;
            form.pieces.push(Piece {
                part: part(head)?,
                kinds,
                space: head & 1 << 6 != 0,
                learned: head & 1 << 7 != 0,
                hash,
                start,
                end,
            });
        }
        Some(form)
    }
}

fn part(head: u8) -> Option<TokenKind> {
    const LOOKS: [WordShape; 7] = [
        WordShape::Plain,
        WordShape::Capitals,
        WordShape::Compound,
        WordShape::Ident,
        WordShape::Code,
        WordShape::Dense,
        WordShape::Status,
    ];
    match head & 3 {
        0 => LOOKS.get(usize::from(head >> 2 & 0xf)).copied().map(TokenKind::Word),
        1 => Some(TokenKind::Slot),
        2 => Some(TokenKind::Punct),
        _ => None,
    }
}

fn read_forms(state: &[u8]) -> Option<StoredForms> {
    let mut reader = Reader(state);
    if reader.byte()? != FORMAT {
        return None;
    }
    let face = u32::try_from(reader.number()?).ok()?;
    let mut forms = Vec::new();
    while !reader.0.is_empty() {
        let place = u32::try_from(reader.number()?).ok()?;
        let flags = reader.byte()?;
        let form = reader.form(flags)?;
        forms.push(StoredForm { place, entered: flags & 1 != 0, form });
    }
    (!forms.is_empty()).then_some(StoredForms { face, forms })
}
