//! Open slots: places that hold other free words in each message, any number of them in one form.
//!
//! Free words are those that no message needs: names, nouns of other trades, values. What is left of a form without its
//! runs of free words is its skeleton. Two forms of one skeleton differ in some of the runs; the pattern of what they share
//! is open once enough forms fill each of its gaps with other words. So a pattern is a fact about a set of forms, whatever
//! their order.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::grouping::evidence::{ENOUGH, free_tail, value_weight};
use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon;
use crate::grouping::tokens::token::{SLOT, TokenKind, WordShape, finish, fold};

/// Pieces of a form that are read; what stands behind them is part of the skeleton.
const READ: usize = 120;
/// Pieces in one run, at most; longer ones are no names.
const LONGEST: usize = 8;
/// Runs of a form; forms with more have no skeleton.
const RUNS: usize = 10;
/// Forms of one skeleton that are compared.
const COMPARED: usize = 48;
const GAP: u64 = 0x6a_9;
const TAIL: u64 = 0x6a_a;

/// What two forms of one skeleton share: for each run all of it (none), or that many pieces at its front and its back.
type Shared = Vec<Option<(u8, u8)>>;

/// What forms of one skeleton share, and the forms that share no more than that.
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
    patterns: FxHashMap<u64, Pattern>,
    /// Open patterns with the form that stands for each.
    open: Vec<(u64, Shared, u32)>,
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

    /// Enters a form; `forms` holds it and all before.
    pub(crate) fn add(&mut self, index: u32, forms: &[Form]) -> Findings {
        let mut findings = Findings::default();
        let form = &forms[index as usize];
        let Some((hash, runs)) = skeleton(form) else { return findings };
        let skeleton = self.skeletons.entry(hash).or_default();
        for &other in &skeleton.forms {
            let other_form = &forms[other as usize];
            let Some((_, other_runs)) = self::skeleton(other_form) else { continue };
            let Some(shared) = shared(form, &runs, other_form, &other_runs) else { continue };
            let Some(key) = pattern_hash(form, &runs, &shared) else { continue };
            let pattern =
                skeleton.patterns.entry(key).or_insert_with(|| Pattern { shared, members: Vec::new(), is_open: false });
            if pattern.is_open {
                findings.partners.push(other);
                continue;
            }
            for member in [other, index] {
                if !pattern.members.contains(&member) {
                    pattern.members.push(member);
                }
            }
            if is_filled(pattern, forms) {
                pattern.is_open = true;
                findings.partners.extend(pattern.members.iter().filter(|&&member| member != index));
                pattern.members = Vec::new();
                let form = with_gaps(form, &runs, &pattern.shared);
                findings.wider.push(Wider { form, pattern: Some((hash, key)) });
            }
        }
        if skeleton.forms.len() < COMPARED {
            skeleton.forms.push(index);
        }
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
    let (mut hash, mut runs, mut fixed, mut free) = (fold(form.seed, 7), Vec::new(), 0, false);
    let mut at = 0;
    while at < pieces.len() {
        if at == tail {
            runs.push(at..pieces.len());
            return (fixed >= 1).then(|| (finish(fold(hash, TAIL)), runs));
        }
        let end = if at < READ { run_end(form, at) } else { at };
        if end == at {
            hash = fold(hash, pieces[at].hash);
            fixed += usize::from(pieces[at].look().is_some());
            at += 1;
            continue;
        }
        if end - at > LONGEST || runs.len() == RUNS {
            return None;
        }
        free |= pieces[at..end].iter().any(|piece| piece.look().is_some());
        hash = fold(hash, GAP);
        runs.push(at..end);
        at = end;
    }
    (free && fixed >= 1).then(|| (finish(hash), runs))
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
        TokenKind::Punct => false,
        TokenKind::Word(WordShape::Dense) => is_foreign(form),
        TokenKind::Word(_) if !is_plain(piece) => false,
        TokenKind::Word(_) => {
            lexicon::is_free(form.word(piece).as_bytes()) || is_of_name(form, at) || is_activity(form, at)
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
    let is_name = |at: usize| is_capital(at) && lexicon::is_free(form.word(&form.pieces[at]).as_bytes());
    at > 0 && is_capital(at) && (is_name(at + 1) || at > 1 && is_name(at - 1))
}

/// `while it was parsing`: what something was busy with, not what failed.
fn is_activity(form: &Form, at: usize) -> bool {
    at > 0
        && form.word(&form.pieces[at]).ends_with("ing")
        && matches!(form.word(&form.pieces[at - 1]), "was" | "were" | "is" | "are" | "been")
}

/// Whether a script without spaces is not the one that the message is written in.
fn is_foreign(form: &Form) -> bool {
    let dense = |piece: &&Piece| piece.look() == Some(WordShape::Dense);
    form.pieces.iter().filter(|piece| is_plain(piece)).count() > form.pieces.iter().filter(dense).count().max(2)
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
        if is_tail(one, ra) {
            return Some((0, 0));
        }
        let most = a.len().min(b.len()) - 1;
        let front = a.iter().zip(b).take_while(same).count().min(most);
        let back = a.iter().rev().zip(b.iter().rev()).take_while(same).count().min(most - front);
        Some((front as u8, back as u8))
    };
    let shared = ones.iter().zip(others).map(of_run).collect();
    differs.then_some(shared)
}

/// Whether the run is all that stands behind a colon.
fn is_tail(form: &Form, run: &Range<usize>) -> bool {
    run.end == form.pieces.len() && free_tail(form).is_some_and(|tail| tail.range == *run)
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

/// Whether every gap has been filled in enough ways.
fn is_filled(pattern: &Pattern, forms: &[Form]) -> bool {
    if pattern.members.len() < 2 {
        return false;
    }
    let gaps = pattern.shared.iter().enumerate().filter_map(|(run, shared)| shared.map(|shared| (run, shared)));
    let members: Vec<_> = pattern
        .members
        .iter()
        .filter_map(|&member| Some((&forms[member as usize], skeleton(&forms[member as usize])?.1)))
        .collect();
    let mut gaps = gaps;
    members.first().is_some_and(|(form, runs)| says_enough(form, runs, &pattern.shared))
        && gaps.all(|(run, (front, back))| {
            let mut seen = FxHashMap::default();
            for (form, runs) in &members {
                let range = runs[run].start + usize::from(front)..runs[run].end - usize::from(back);
                let hash = form.pieces[range.clone()].iter().fold(0, |hash, piece| fold(hash, piece.hash));
                let weight = free_tail(form).filter(|tail| tail.range == range).map(|tail| tail.weight);
                seen.entry(hash).or_insert_with(|| weight.unwrap_or_else(|| value_weight(form, range)));
            }
            seen.len() >= 2 && seen.values().sum::<u32>() >= ENOUGH
        })
}

/// Whether what is shared is enough to speak of one cause: two words, three where the message begins with a gap.
fn says_enough(form: &Form, runs: &[Range<usize>], shared: &Shared) -> bool {
    let gaps: Vec<Range<usize>> = gaps(runs, shared).collect();
    let words = form.constants(0..0) - gaps.iter().map(|gap| words_in(form, gap)).sum::<usize>();
    let begins = gaps.first().is_some_and(|gap| gap.start == 0);
    words >= 2 + usize::from(begins)
}

fn words_in(form: &Form, range: &Range<usize>) -> usize {
    form.pieces[range.clone()].iter().filter(|piece| piece.look().is_some()).count()
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
