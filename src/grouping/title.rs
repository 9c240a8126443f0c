//! What a user would call a group: its template as a sentence, cut in the middle, unlike the title of any other group.

use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::neighbours::EQUALS;
use crate::grouping::tokens::token::{Kinds, SLOT, TokenKind, WordShape};
use rustc_hash::FxHashMap;

/// Longest title in characters.
const LONGEST: usize = 100;
/// Characters of the end that a cut keeps: codes and causes stand there.
const END: usize = 38;
/// Characters of the shared front of two titles that are kept.
const FRONT: usize = 28;

/// A short readable name for the form.
pub(crate) fn title(form: &Form) -> String {
    cut(&sentence(form), &codes(form), LONGEST)
}

/// A title for `form` that says where it differs from `other`, which has the same title: in the names of its fields if the
/// sentences are equal.
pub(crate) fn title_beside(form: &Form, other: &Form) -> String {
    let (mine, theirs) = (sentence(form), sentence(other));
    if mine == theirs {
        return cut(&form.template(), &codes(form), LONGEST);
    }
    let same: usize = mine.chars().zip(theirs.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let word = mine[..same].rfind(' ').unwrap_or(0);
    // A word before the difference shows what it is about.
    let from = mine[..word].rfind(' ').map_or(word, |before| before + 1);
    if from <= FRONT {
        return cut(&mine, &codes(form), LONGEST);
    }
    let front = mine[..mine.floor_char_boundary(FRONT)].rsplit_once(' ').map_or("", |(front, _)| front);
    let rest = mine[from..].trim_start();
    format!("{front} … {}", cut(rest, &codes(form), LONGEST - front.chars().count().min(FRONT) - 3))
}

/// The template without the labels that only say that what follows says something, and without fields of data.
fn sentence(form: &Form) -> String {
    let mut out = form.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}: "));
    let pieces = without_mark_of_markup(form);
    let (mut at, mut in_fields) = (pieces, false);
    let speaks = form.constants(0..0) >= 3 || (0..form.pieces.len()).any(|at| is_label(form, at, true));
    while at < form.pieces.len() {
        if is_label(form, at, in_fields) {
            in_fields = true;
            separate(&mut out);
            at += if says_only_error(form, at) { 3 } else { 2 };
        } else if speaks && is_data_field(form, at) {
            at += 2 + usize::from(form.pieces.get(at + 2).is_some_and(|next| next.is_punct(b',')));
        } else {
            write_piece(form, at, &mut out);
            at += 1;
        }
    }
    let text = out.trim().trim_end_matches([':', ',', ';', ' ', '{', '(']).trim_start_matches([',', ':', ';', ' ']);
    let text = if text.is_empty() { form.template() } else { text.to_owned() };
    if form.cut { format!("{text} …") } else { text }
}

/// Pieces at the beginning that say that a text was markup.
fn without_mark_of_markup(form: &Form) -> usize {
    match form.pieces.as_slice() {
        [open, kind, close, _, ..]
            if open.is_punct(b'(') && close.is_punct(b')') && matches!(form.word(kind), "xml" | "page") =>
        {
            3
        }
        _ => 0,
    }
}

fn write_piece(form: &Form, at: usize, out: &mut String) {
    let piece = &form.pieces[at];
    if piece.is_punct(b')') {
        out.truncate(out.trim_end_matches([' ', ',']).len());
    } else if piece.space && !out.is_empty() && !out.ends_with([' ', '(', '[', '{']) {
        out.push(' ');
    }
    match piece.part {
        TokenKind::Slot if piece.hash == SLOT => out.push_str(&slot_name(form, &form.pieces, at)),
        _ => out.push_str(&form.shown(piece)),
    }
}

/// `message: …`, `err = …`: a key in lower case with its value behind it, at the beginning or among other fields.
fn is_label(form: &Form, at: usize, in_fields: bool) -> bool {
    let (Some(key), Some(mark), Some(value)) = (form.pieces.get(at), form.pieces.get(at + 1), form.pieces.get(at + 2))
    else {
        return false;
    };
    let is_status = at > 0 && form.pieces[at - 1].look() == Some(WordShape::Status);
    let begins = at == 0 || is_status || form.pieces[at - 1].part == TokenKind::Punct && key.space || in_fields;
    let is_number = value.look() == Some(WordShape::Status);
    key.look().is_some()
        && !is_number
        && is_field_name(form.word(key).as_bytes())
        && (mark.is_punct(b'=') || mark.is_punct(b':') && begins && value.space)
}

/// A field whose value says what went wrong, so that its name need not stand before it.
fn is_field_name(word: &[u8]) -> bool {
    (lexicon::explains(word) || List::CodeKeys.has(word)) && !word.ends_with(b"status") && word != b"kind"
}

/// `type: error` says nothing.
fn says_only_error(form: &Form, at: usize) -> bool {
    form.pieces.get(at + 2).is_some_and(|value| form.word(value) == "error")
        && form.pieces.get(at + 4).is_some_and(|mark| mark.is_punct(b':'))
}

/// `doc=<id>`: a field whose value is data.
fn is_data_field(form: &Form, at: usize) -> bool {
    let (key, value) = (&form.pieces[at], form.pieces.get(at + 1));
    key.look().is_some_and(|look| look != WordShape::Dense)
        && value.is_some_and(|value| value.part == TokenKind::Slot && value.hash == EQUALS)
}

fn separate(out: &mut String) {
    let text = out.trim_end_matches([' ', ',', ';']).len();
    out.truncate(text);
    if !out.is_empty() && !out.ends_with([':', '-', '(', '{', '[', '.']) {
        out.push(':');
    }
    if !out.is_empty() {
        out.push(' ');
    }
}

/// `<page>` after the word page, otherwise by kind.
fn slot_name(form: &Form, pieces: &[Piece], at: usize) -> String {
    let kinds = pieces[at].kinds;
    let by_kind = kinds.name();
    if matches!(by_kind, "text" | "quoted" | "n" | "id" | "hex" | "list") {
        let before = at.checked_sub(1).map(|before| &pieces[before]).filter(|piece| piece.look().is_some());
        if let Some(noun) = before.map(|piece| form.word(piece).to_ascii_lowercase())
            && (List::Entities.knows(noun.as_bytes())
                || matches!(noun.as_str(), "page" | "line" | "row" | "document" | "request" | "process"))
            && !matches!(noun.as_str(), "named" | "called")
        {
            return format!("<{noun}>");
        }
    }
    match by_kind {
        "quoted" if kinds == Kinds::QUOTED => "<name>".to_owned(),
        other => format!("<{other}>"),
    }
}

/// Cuts the middle out at words, visibly; a code that stood there is kept.
fn cut(text: &str, codes: &[&str], longest: usize) -> String {
    let (head, tail) = match ends(text, longest) {
        Some(ends) => ends,
        None => return text.to_owned(),
    };
    let lost =
        codes.iter().rev().find(|code| code.len() < LONGEST / 3 && !head.contains(**code) && !tail.contains(**code));
    let Some(code) = lost.filter(|code| text.contains(**code)) else { return format!("{head} … {tail}") };
    match ends(text, longest - code.chars().count() - 3) {
        Some((head, tail)) => format!("{head} … {code} … {tail}"),
        None => format!("{head} … {tail}"),
    }
}

/// The beginning and the end of a text that is too long.
fn ends(text: &str, longest: usize) -> Option<(&str, &str)> {
    let count = text.chars().count();
    if count <= longest {
        return None;
    }
    let end = END.min(longest / 2);
    let at = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let head = &text[..at(longest - end - 3)];
    let head = head.rfind(' ').filter(|&space| space > head.len() / 2).map_or(head, |space| &head[..space]);
    let tail = &text[at(count - end)..];
    let tail = tail.find(' ').filter(|&space| space < tail.len() / 2).map_or(tail, |space| &tail[space + 1..]);
    Some((head.trim_end_matches([',', ':', ';', ' ', '(']), tail))
}

/// Codes and statuses of a form, which a title should not lose.
fn codes(form: &Form) -> Vec<&str> {
    let is_code =
        |piece: &&Piece| piece.look() == Some(WordShape::Code) && !lexicon::is_exception(form.word(piece).as_bytes());
    form.pieces.iter().filter(is_code).map(|piece| form.word(piece)).collect()
}

/// Titles by group and groups by title.
#[derive(Debug, Default)]
pub(crate) struct Titles {
    by_group: FxHashMap<u32, String>,
    by_title: FxHashMap<String, u32>,
}

impl Titles {
    pub(crate) fn of(&self, group: u32) -> Option<&str> {
        self.by_group.get(&group).map(String::as_str)
    }

    /// The group that has this title.
    pub(crate) fn owner(&self, title: &str) -> Option<u32> {
        self.by_title.get(title).copied()
    }

    /// Gives a group a title in place of the one it had.
    pub(crate) fn put(&mut self, group: u32, title: String) {
        self.remove(group);
        self.by_title.insert(title.clone(), group);
        self.by_group.insert(group, title);
    }

    pub(crate) fn remove(&mut self, group: u32) {
        if let Some(title) = self.by_group.remove(&group)
            && self.by_title.get(&title) == Some(&group)
        {
            self.by_title.remove(&title);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::grouping::grouper::Grouper;
    use crate::grouping::tests::failed;

    fn title(message: &str) -> String {
        let mut grouper = Grouper::new();
        let group = grouper.assign(&failed(message));
        grouper.title(group)
    }

    #[test]
    fn fields_read_like_a_sentence() {
        for (message, wanted) in [
            (r#"{"code":"TOO_WIDE","detail":"the table is too wide","job":"7"}"#, "TOO_WIDE: the table is too wide"),
            (
                r#"ts=2026-01-02T03:04:05Z msg="tile decode failed" job=17 err="short read""#,
                "tile decode failed: short read",
            ),
            (
                r#"Error code: 429 - {'type': 'error', 'error': {'type': 'busy_error', 'message': 'Too many'}}"#,
                "Error code: 429: busy_error: Too many",
            ),
            (r#"{"status":404,"job":"7"}"#, "status: 404"),
            ("rpc error: code = Unavailable desc = \"out of memory\"", "rpc error: Unavailable: out of memory"),
            (
                "giving up after 3 tries; last error: (7, \"short read\")",
                "giving up after <n> tries; last error: (7, short read)",
            ),
        ] {
            assert_eq!(title(message), wanted, "{message}");
        }
    }

    #[test]
    fn no_letter_is_lost() {
        assert_eq!(title("l'analyse n'a pas abouti"), "l'analyse n'a pas abouti");
        assert_eq!(title("l’analyse d’O’Brien"), "l’analyse d’O’Brien");
        assert_eq!(title("पृष्ठ पढ़ा नहीं जा सका"), "पृष्ठ पढ़ा नहीं जा सका");
    }

    #[test]
    fn a_cut_title_keeps_its_end() {
        let long = title(
            "while moving a rather long sentence about nothing in particular through the machine it broke: E_TORN_BELT",
        );
        assert!(long.chars().count() <= 100 && long.contains(" … ") && long.ends_with("E_TORN_BELT"), "{long}");
    }

    #[test]
    fn bodies_that_say_the_same_in_different_fields_have_different_titles() {
        let mut grouper = Grouper::new();
        for message in [
            r#"{"error":"belt is torn","job":"7"}"#,
            r#"{"detail":"belt is torn","job":"8"}"#,
            r#"{"status":"failed","reason":"belt is torn"}"#,
        ] {
            grouper.assign(&failed(message));
        }
        let titles: Vec<String> = grouper.take_changes().into_iter().map(|stored| stored.title).collect();
        assert_eq!(titles, ["belt is torn", "detail: belt is torn", "status: failed reason: belt is torn"]);
    }

    #[test]
    fn groups_have_titles_of_their_own() {
        let mut grouper = Grouper::new();
        let message = |middle: &str| {
            format!(
                "while moving a rather long sentence about nothing in particular the {middle} reader of the machine lost its place and stopped for good"
            )
        };
        let groups: Vec<_> =
            ["refused", "slow", "locked"].map(|middle| grouper.assign(&failed(&message(middle)))).into();
        let titles: std::collections::BTreeSet<String> =
            grouper.take_changes().into_iter().map(|stored| stored.title).collect();
        assert_eq!(titles.len(), 3, "{titles:?}");
        assert!(titles.iter().any(|title| title.contains("slow")), "{titles:?}");
        assert_eq!(groups.iter().map(|group| grouper.title(*group)).collect::<std::collections::BTreeSet<_>>(), titles);
    }
}
