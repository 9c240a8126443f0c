//! Open slots: places that hold other free words in each message, any number of them in one form.
//!
//! Free words are those that no message needs: names, nouns of other trades, values. What is left of a form without its
//! runs of free words is its skeleton. Two forms of one skeleton differ in some of the runs; the pattern of what they share
//! is open once enough forms fill each of its gaps with other words. So a pattern is a fact about a set of forms, whatever
//! their order.

use std::collections::BTreeMap;
use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::grouping::evidence::{ENOUGH, free_tail, is_activity, value_weight};
use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon;
use crate::grouping::tokens::token::{SLOT, TokenKind, WordShape, finish, fold};

/// Pieces of a form that are read; what stands behind them is part of the skeleton.
const READ: usize = 120;
/// Pieces in one run, at most; longer ones are no names.
const LONGEST: usize = 12;
/// Runs of a form; forms with more have no skeleton.
const RUNS: usize = 24;
/// Forms of one skeleton that are compared.
const COMPARED: usize = 48;
/// Forms of one skeleton that are kept although an open pattern takes them in, so that their order does not matter.
const KEPT: usize = 16;
const GAP: u64 = 0x06a9;
const TAIL: u64 = 0x06aa;

/// What two forms of one skeleton share: for each run all of it (none), or that many pieces at its front and its back.
type Shared = Vec<Option<(u8, u8)>>;

/// What forms of one skeleton share, and the forms that share at least that; of an open one any of them.
#[derive(Debug)]
struct Pattern {
    shared: Shared,
    members: Vec<u32>,
    is_open: bool,
}

/// Forms of one skeleton.
#[derive(Debug, Default)]
struct Skeleton {
    forms: Vec<u32>,
    patterns: BTreeMap<u64, Pattern>,
    /// Open patterns with the form that stands for each.
    open: Vec<(u64, Shared, u32)>,
}

impl Skeleton {
    /// Enters the patterns that a form shares with the forms before it, each with all forms that fill it.
    fn find_patterns(&mut self, form: &Form, runs: &[Range<usize>], forms: &[Form]) {
        let read: Vec<(u32, Vec<Range<usize>>)> =
            self.forms.iter().filter_map(|&other| Some((other, skeleton(&forms[other as usize])?.1))).collect();
        for (other, other_runs) in &read {
            let Some(shared) = shared(form, runs, &forms[*other as usize], other_runs) else { continue };
            let Some(key) = pattern_hash(form, runs, &shared) else { continue };
            if self.patterns.contains_key(&key) || least_evidence(form, runs, &shared).is_none() {
                continue;
            }
            let fills = |(other, runs): &&(u32, Vec<Range<usize>>)| {
                pattern_hash(&forms[*other as usize], runs, &shared) == Some(key)
            };
            let members = read.iter().filter(fills).map(|(other, _)| *other).collect();
            self.patterns.insert(key, Pattern { shared, members, is_open: false });
        }
    }
}

/// All skeletons.
#[derive(Debug, Default)]
pub(crate) struct OpenSlots {
    skeletons: FxHashMap<u64, Skeleton>,
}

/// What one more form proves.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Forms that are one group with it.
    pub(crate) partners: Vec<u32>,
    /// Forms with slots in place of gaps that have just opened.
    pub(crate) wider: Vec<Wider>,
}

/// A form with slots that follows from others.
#[derive(Debug)]
pub(crate) struct Wider {
    pub(crate) form: Form,
    /// The skeleton and the pattern that it stands for, if it came from one.
    pub(crate) pattern: Option<(u64, u64)>,
}

impl OpenSlots {
    /// The form that stands for an open pattern that this form fills.
    pub(crate) fn matching(&self, form: &Form) -> Option<u32> {
        let (hash, runs) = skeleton(form)?;
        let skeleton = self.skeletons.get(&hash)?;
        let fits = |(key, shared, _): &&(u64, Shared, u32)| pattern_hash(form, &runs, shared) == Some(*key);
        skeleton.open.iter().find(fits).map(|(_, _, stands)| *stands)
    }

    /// Whether a form that an open pattern takes in is to be entered all the same: others may still be compared with it.
    pub(crate) fn wants(&self, form: &Form) -> bool {
        skeleton(form).is_some_and(|(hash, _)| self.skeletons.get(&hash).is_none_or(|known| known.forms.len() < KEPT))
    }

    /// Enters a form; `forms` holds it and all before.
    pub(crate) fn add(&mut self, index: u32, forms: &[Form]) -> Findings {
        let mut findings = Findings::default();
        let form = &forms[index as usize];
        let Some((hash, runs)) = skeleton(form) else { return findings };
        let entry = self.skeletons.entry(hash).or_default();
        entry.find_patterns(form, &runs, forms);
        if entry.forms.len() < COMPARED {
            entry.forms.push(index);
        }
        for (&key, pattern) in &mut entry.patterns {
            if pattern_hash(form, &runs, &pattern.shared) != Some(key) {
                continue;
            }
            pattern.members.push(index);
            if pattern.is_open {
                findings.partners.push(pattern.members[0]);
                pattern.members.truncate(1);
            } else if is_filled(pattern, forms) {
                pattern.is_open = true;
                findings.partners.append(&mut pattern.members);
                pattern.members.push(index);
                let form = with_gaps(form, &runs, &pattern.shared);
                findings.wider.push(Wider { form, pattern: Some((hash, key)) });
            }
        }
        findings.partners.retain(|&partner| partner != index);
        findings
    }

    /// Notes the form that stands for an open pattern.
    pub(crate) fn stands(&mut self, (hash, key): (u64, u64), index: u32) {
        let Some(skeleton) = self.skeletons.get_mut(&hash) else { return };
        if let Some(pattern) = skeleton.patterns.get(&key) {
            skeleton.open.push((key, pattern.shared.clone(), index));
        }
    }
}

/// The hash of what is no free word, and the runs of free words; none for forms that are mostly free.
fn skeleton(form: &Form) -> Option<(u64, Vec<Range<usize>>)> {
    let pieces = &form.pieces;
    let tail = free_tail(form).map_or(pieces.len(), |tail| tail.range.start);
    let (mut hash, mut runs) = (fold(form.seed, 7), Vec::new());
    let mut at = 0;
    while at < pieces.len() {
        if at == tail {
            runs.push(at..pieces.len());
            return Some((finish(fold(hash, TAIL)), runs));
        }
        let end = if at < READ { run_end(form, at) } else { at };
        if end == at {
            hash = fold(hash, pieces[at].hash);
            at += 1;
            continue;
        }
        if end - at > LONGEST || runs.len() == RUNS {
            return None;
        }
        hash = fold(hash, GAP);
        runs.push(at..end);
        at = end;
    }
    (!runs.is_empty()).then(|| (finish(hash), runs))
}

/// Where the run of free pieces that begins here ends; here if none begins.
fn run_end(form: &Form, at: usize) -> usize {
    let pieces = &form.pieces;
    let mut end = at;
    while end < pieces.len() {
        let joins = end > at
            && pieces[end].part == TokenKind::Punct
            && matches!(pieces[end].hash as u8, b'/' | b'-' | b'.' | b'&' | b'#' | b'+')
            && pieces.get(end + 1).is_some_and(|next| is_free(form, end + 1) || !next.space && is_plain(next));
        if !joins && !is_free(form, end) {
            break;
        }
        end += if joins { 2 } else { 1 };
    }
    end
}

fn is_plain(piece: &Piece) -> bool {
    piece.look().is_some_and(|look| !matches!(look, WordShape::Code | WordShape::Status | WordShape::Dense))
}

/// Whether the piece may be part of a name.
fn is_free(form: &Form, at: usize) -> bool {
    let piece = &form.pieces[at];
    match piece.part {
        TokenKind::Slot => piece.hash == SLOT,
        TokenKind::Punct => piece.is_punct(b'#'),
        TokenKind::Word(WordShape::Dense) => is_foreign(form, at),
        TokenKind::Word(_) if !is_plain(piece) => false,
        TokenKind::Word(_) => {
            lexicon::may_vary(form.word(piece).as_bytes()) || is_of_name(form, at) || is_activity(form, at)
        }
    }
}

/// `New York`: a common word with a capital beside a name.
fn is_of_name(form: &Form, at: usize) -> bool {
    let is_capital = |at: usize| {
        form.pieces.get(at).is_some_and(|piece| {
            is_plain(piece) && form.word(piece).as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        })
    };
    let is_name = |at: usize| {
        is_capital(at)
            && form.pieces[at].look() != Some(WordShape::Capitals)
            && lexicon::is_free(form.word(&form.pieces[at]).as_bytes())
    };
    at > 0 && is_capital(at) && (is_name(at + 1) || at > 1 && is_name(at - 1))
}

/// Whether a script without spaces is not the one that the message is written in.
fn is_foreign(form: &Form, at: usize) -> bool {
    let is_dense = |piece: &&Piece| piece.look() == Some(WordShape::Dense);
    let before = form.pieces[..at].iter().rev().take_while(is_dense).count();
    let begins = &form.pieces[at - before];
    (begins.space || at == before) && form.pieces.iter().filter(|piece| is_plain(piece)).count() >= 2
}

/// What the runs of two forms share; none where nothing differs.
fn shared(one: &Form, ones: &[Range<usize>], other: &Form, others: &[Range<usize>]) -> Option<Shared> {
    let mut differs = false;
    let of_run = |(ra, b): (&Range<usize>, &Range<usize>)| {
        let (a, b) = (&one.pieces[ra.clone()], &other.pieces[b.clone()]);
        let same = |(a, b): &(&Piece, &Piece)| a.hash == b.hash;
        if a.len() == b.len() && a.iter().zip(b).all(|pair| same(&pair)) {
            return None;
        }
        differs = true;
        let most = a.len().min(b.len()) - 1;
        let front = a.iter().zip(b).take_while(same).count().min(most);
        let back = a.iter().rev().zip(b.iter().rev()).take_while(same).count().min(most - front);
        Some((front as u8, back as u8))
    };
    let shared = ones.iter().zip(others).map(of_run).collect();
    differs.then_some(shared)
}

/// The hash of a pattern as this form fills it; none if it is too short for it.
fn pattern_hash(form: &Form, runs: &[Range<usize>], shared: &Shared) -> Option<u64> {
    let mut hash = fold(form.seed, 8);
    for (run, shared) in runs.iter().zip(shared) {
        let pieces = &form.pieces[run.clone()];
        let fold_all = |hash, pieces: &[Piece]| pieces.iter().fold(hash, |hash, piece| fold(hash, piece.hash));
        hash = match shared {
            None => fold_all(hash, pieces),
            Some((front, back)) => {
                let (front, back) = (usize::from(*front), usize::from(*back));
                if pieces.len() <= front + back {
                    return None;
                }
                fold_all(fold(fold_all(hash, &pieces[..front]), GAP), &pieces[pieces.len() - back..])
            }
        };
        hash = fold(hash, 1);
    }
    Some(finish(hash))
}

/// Whether every gap has been filled in enough ways. One more form never makes it less so.
fn is_filled(pattern: &Pattern, forms: &[Form]) -> bool {
    let members: Vec<_> = pattern
        .members
        .iter()
        .filter_map(|&member| Some((&forms[member as usize], skeleton(&forms[member as usize])?.1)))
        .collect();
    let Some(least) = members.first().and_then(|(form, runs)| least_evidence(form, runs, &pattern.shared)) else {
        return false;
    };
    let mut gaps = pattern.shared.iter().enumerate().filter_map(|(run, shared)| Some((run, (*shared)?)));
    gaps.all(|(run, (front, back))| {
        let mut values = FxHashMap::default();
        for (form, runs) in &members {
            let gap = runs[run].start + usize::from(front)..runs[run].end - usize::from(back);
            let hash = form.pieces[gap.clone()].iter().fold(0, |hash, piece| fold(hash, piece.hash));
            values.insert(hash, evidence(form, gap, least));
        }
        values.len() >= 2 && values.values().sum::<u32>() >= least * ENOUGH
    })
}

/// What one filling of a gap proves where `least` is needed, in parts of [`ENOUGH`]. What may say what is wrong proves no more
/// in a long sentence than in a short one.
fn evidence(form: &Form, gap: Range<usize>, least: u32) -> u32 {
    match free_tail(form).filter(|tail| tail.range == gap) {
        Some(tail) => tail.weight * ENOUGH,
        None if may_be_reason(form, &gap) => value_weight(form, gap) * least.min(ENOUGH),
        None => value_weight(form, gap) * ENOUGH,
    }
}

/// Whether what fills a gap may say what is wrong, however long the sentence is: a state in capitals, a mark, at the end
/// common words or anything behind a colon.
fn may_be_reason(form: &Form, gap: &Range<usize>) -> bool {
    let pieces = &form.pieces[gap.clone()];
    let is_common = |piece: &Piece| lexicon::is_common(form.word(piece).as_bytes());
    let is_said = gap.start > 0 && form.pieces[gap.start - 1].is_punct(b':') || pieces.iter().all(is_common);
    let ends = gap.end == form.pieces.len() && is_said && !is_activity(form, gap.start);
    let is_name = |piece: &Piece| match piece.look() {
        Some(WordShape::Capitals) => true,
        _ => matches!(form.word(piece).as_bytes(), [b'A'..=b'Z' | b'a'..=b'z'] | [b'A'..=b'Z' | b'a'..=b'z', _]),
    };
    ends || pieces.iter().any(is_name)
}

/// The evidence that each gap needs; none where what is shared says too little to speak of one cause.
///
/// Two words are enough, three where the message begins with a gap; one word needs twice the evidence, and from the fifth
/// word on it is the less the more words are shared, for hardly two causes share a long sentence.
fn least_evidence(form: &Form, runs: &[Range<usize>], shared: &Shared) -> Option<u32> {
    let gaps: Vec<Range<usize>> = gaps(runs, shared).collect();
    let words =
        words_in(form, &(0..form.pieces.len())).saturating_sub(gaps.iter().map(|gap| words_in(form, gap)).sum());
    let begins = gaps.first().is_some_and(|gap| gap.start == 0);
    match words {
        0 => None,
        1 if begins => None,
        2 if begins => None,
        1 => Some(2 * ENOUGH),
        2..=4 => Some(ENOUGH),
        _ => Some((16 * ENOUGH).div_ceil((words * words) as u32)),
    }
}

/// How many words a range has; in a script without spaces three characters make one.
fn words_in(form: &Form, range: &Range<usize>) -> usize {
    let dense = form.pieces[range.clone()].iter().filter(|piece| piece.look() == Some(WordShape::Dense)).count();
    form.pieces[range.clone()].iter().filter(|piece| piece.look().is_some()).count() - dense + dense.div_ceil(3)
}

fn gaps<'a>(runs: &'a [Range<usize>], shared: &'a Shared) -> impl Iterator<Item = Range<usize>> {
    runs.iter().zip(shared).filter_map(|(run, shared)| {
        shared.map(|(front, back)| run.start + usize::from(front)..run.end - usize::from(back))
    })
}

/// The form with a slot in place of each gap.
fn with_gaps(form: &Form, runs: &[Range<usize>], shared: &Shared) -> Form {
    let gaps: Vec<Range<usize>> = gaps(runs, shared).collect();
    gaps.into_iter().rev().fold(form.clone(), |form, gap| form.with_slot(gap.start, gap.end))
}
