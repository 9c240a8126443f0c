//! What a user would call a group: its template in short, with slots named by what they hold or what stands before them.

use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon;
use crate::grouping::tokens::token::{Kinds, SLOT, TokenKind};

/// Longest title in characters.
const LONGEST: usize = 100;

/// A short readable name for the form.
pub(crate) fn title(form: &Form) -> String {
    let pieces = &form.pieces[opening(form)..];
    let mut out = form.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}: "));
    for (at, piece) in pieces.iter().enumerate() {
        if piece.space && at > 0 {
            out.push(' ');
        }
        match piece.part {
            TokenKind::Slot if piece.hash == SLOT => out.push_str(&slot_name(form, pieces, at)),
            _ => out.push_str(&form.shown(piece)),
        }
    }
    shorten(out.trim(), form.cut)
}

/// Skips a time stamp, host or the like that a logger put first, with its brackets.
fn opening(form: &Form) -> usize {
    let pieces = &form.pieces;
    let skippable =
        |piece: &Piece| piece.hash == SLOT && piece.part == TokenKind::Slot && piece.kinds.0 & Kinds::TIME.0 != 0;
    let from = match pieces.as_slice() {
        [open, time, close, ..] if open.is_punct(b'[') && skippable(time) && close.is_punct(b']') => 3,
        [time, ..] if skippable(time) => 1,
        _ => 0,
    };
    let from = from
        + pieces[from..].iter().take_while(|piece| from > 0 && (piece.is_punct(b':') || piece.is_punct(b'-'))).count();
    if pieces[from..].iter().any(|piece| piece.look().is_some()) { from } else { 0 }
}

/// `<page>` after the word page, otherwise by kind.
fn slot_name(form: &Form, pieces: &[Piece], at: usize) -> String {
    let kinds = pieces[at].kinds;
    let by_kind = kinds.name();
    if matches!(by_kind, "text" | "quoted" | "n" | "id" | "hex" | "list") {
        let before = at.checked_sub(1).map(|before| &pieces[before]).filter(|piece| piece.look().is_some());
        if let Some(noun) = before.map(|piece| form.word(piece).to_ascii_lowercase())
            && (lexicon::is_entity(noun.as_bytes())
                || matches!(noun.as_str(), "page" | "line" | "row" | "document" | "request" | "process"))
            && !matches!(noun.as_str(), "named" | "called")
        {
            return format!("<{noun}>");
        }
    }
    match by_kind {
        "quoted" => "<name>".to_owned(),
        other => format!("<{other}>"),
    }
}

/// Cuts at a word, visibly.
fn shorten(text: &str, cut: bool) -> String {
    if text.chars().count() <= LONGEST {
        return if cut { format!("{text} …") } else { text.to_owned() };
    }
    let end = text.char_indices().nth(LONGEST - 2).map_or(text.len(), |(at, _)| at);
    let head = &text[..end];
    let head = head.rfind(' ').filter(|&space| space > end / 2).map_or(head, |space| &head[..space]);
    format!("{} …", head.trim_end_matches([',', ':', ';', ' ', '(']))
}
