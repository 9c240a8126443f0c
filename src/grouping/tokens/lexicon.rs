//! The few words the grouping knows by name: truth values, days and months, keys whose values tell what went wrong,
//! technical names with digits, and the common vocabulary of messages, which is seldom someone else's data.

use crate::grouping::tokens::span::parts;
use crate::grouping::tokens::word_shape;
use rustc_hash::FxHashSet;
use std::sync::OnceLock;

/// `true`, `null` and their spellings.
pub(crate) fn is_flag(word: &[u8]) -> bool {
    (3..=9).contains(&word.len())
        && matches!(
            word,
            b"true"
                | b"false"
                | b"null"
                | b"None"
                | b"True"
                | b"False"
                | b"nil"
                | b"NULL"
                | b"TRUE"
                | b"FALSE"
                | b"undefined"
                | b"NaN"
        )
}

/// Names of days, months, zones and halves of the day; they count only beside a number.
pub(crate) fn is_calendar(word: &[u8]) -> bool {
    let Some(head) = word.get(..3) else { return matches!(word, b"AM" | b"PM" | b"am" | b"pm") };
    match word.len() {
        3 => matches!(
            head,
            b"Mon"
                | b"Tue"
                | b"Wed"
                | b"Thu"
                | b"Fri"
                | b"Sat"
                | b"Sun"
                | b"Jan"
                | b"Feb"
                | b"Mar"
                | b"Apr"
                | b"May"
                | b"Jun"
                | b"Jul"
                | b"Aug"
                | b"Sep"
                | b"Oct"
                | b"Nov"
                | b"Dec"
                | b"UTC"
                | b"GMT"
                | b"PDT"
                | b"PST"
                | b"EST"
                | b"EDT"
                | b"CET"
                | b"MST"
                | b"CST"
                | b"BST"
                | b"IST"
                | b"JST"
                | b"MDT"
                | b"CDT"
        ),
        4 => matches!(word, b"CEST" | b"June" | b"July" | b"Sept"),
        _ => matches!(
            word,
            b"Monday"
                | b"Tuesday"
                | b"Wednesday"
                | b"Thursday"
                | b"Friday"
                | b"Saturday"
                | b"Sunday"
                | b"January"
                | b"February"
                | b"March"
                | b"April"
                | b"August"
                | b"September"
                | b"October"
                | b"November"
                | b"December"
        ),
    }
}

/// Keys whose value names the error: `code=quota_exceeded`, `reason=timeout`.
pub(crate) fn is_telling_key(key: &[u8]) -> bool {
    if key.len() > 24 {
        return false;
    }
    let mut lower = [0u8; 24];
    let lower = &mut lower[..key.len()];
    lower.copy_from_slice(key);
    lower.make_ascii_lowercase();
    let lower = &*lower;
    matches!(
        lower,
        b"type"
            | b"reason"
            | b"error"
            | b"err"
            | b"msg"
            | b"message"
            | b"op"
            | b"operation"
            | b"exception"
            | b"cause"
            | b"kind"
            | b"class"
            | b"detail"
            | b"exit"
            | b"rc"
            | b"signal"
            | b"action"
    ) || is_code_name(lower)
        || lower.ends_with(b"status")
        || lower.ends_with(b"errno")
        || lower.ends_with(b"error")
        || lower.ends_with(b"reason")
        || lower.ends_with(b"_type")
        || lower.ends_with(b"state")
}

/// `code`, `errorCode`, `exit_code`, but not `keycode`; in lower case.
pub(crate) fn is_code_name(lower: &[u8]) -> bool {
    let Some(stem) = lower.strip_suffix(b"code") else { return lower.ends_with(b"errno") };
    let stem = stem.strip_suffix(b"_").or(stem.strip_suffix(b"-")).unwrap_or(stem);
    stem.is_empty()
        || [
            &b"error"[..],
            b"err",
            b"status",
            b"exit",
            b"return",
            b"ret",
            b"http",
            b"response",
            b"result",
            b"reason",
            b"fault",
            b"sub",
            b"sql",
            b"failure",
        ]
        .iter()
        .any(|ending| stem.ends_with(ending))
}

/// `ORA-00060`: what begins so is a code wherever it stands.
pub(crate) fn is_code_prefix(word: &[u8]) -> bool {
    let head = word.split(|byte| !byte.is_ascii_uppercase()).next().unwrap_or_default();
    matches!(
        head,
        b"ORA"
            | b"TNS"
            | b"PLS"
            | b"ERR"
            | b"ERROR"
            | b"E"
            | b"SQL"
            | b"DB"
            | b"RMAN"
            | b"WSAE"
            | b"MSG"
            | b"HTTP"
            | b"NT"
            | b"TS"
            | b"CS"
    )
}

/// Last labels of dotted names of permissions.
pub(crate) fn is_permission_verb(label: &[u8]) -> bool {
    matches!(
        label,
        b"get"
            | b"list"
            | b"create"
            | b"delete"
            | b"update"
            | b"read"
            | b"write"
            | b"use"
            | b"admin"
            | b"manage"
            | b"invoke"
            | b"predict"
            | b"execute"
            | b"run"
            | b"view"
            | b"edit"
            | b"readonly"
            | b"setIamPolicy"
            | b"getIamPolicy"
            | b"publish"
            | b"consume"
            | b"attach"
            | b"export"
            | b"import"
            | b"access"
            | b"upload"
            | b"download"
            | b"all"
            | b"query"
            | b"insert"
    )
}

/// Names that hold digits and are words all the same.
pub(crate) fn is_named_with_digits(word: &[u8]) -> bool {
    if word.len() > 12 {
        return false;
    }
    let mut lower = [0u8; 12];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let lower = &*lower;
    matches!(
        lower,
        b"s3"
            | b"utf8"
            | b"utf-8"
            | b"utf-16"
            | b"utf16"
            | b"base64"
            | b"sha1"
            | b"sha256"
            | b"sha512"
            | b"sha-256"
            | b"md5"
            | b"http2"
            | b"oauth2"
            | b"ipv4"
            | b"ipv6"
            | b"mp3"
            | b"mp4"
            | b"h264"
            | b"ec2"
            | b"x86"
            | b"x86_64"
            | b"win32"
            | b"win64"
            | b"log4j"
            | b"ssh2"
            | b"socks5"
            | b"socks4"
            | b"k8s"
            | b"latin1"
            | b"latin-1"
            | b"cp1252"
            | b"iso-8859-1"
            | b"python3"
            | b"2fa"
            | b"3d"
            | b"jpeg2000"
            | b"pkcs12"
            | b"x509"
            | b"i18n"
            | b"l2"
            | b"l1"
            | b"l3"
            | b"ps2"
            | b"tls1.2"
            | b"tls1.3"
            | b"ntlmv2"
            | b"int32"
            | b"int64"
            | b"uint8"
            | b"float32"
            | b"float64"
            | b"p12"
            | b"crc32"
    )
}

/// Nouns a name follows: `user root`, `bucket invoices`.
pub(crate) fn is_entity(word: &[u8]) -> bool {
    static SET: OnceLock<FxHashSet<&'static [u8]>> = OnceLock::new();
    SET.get_or_init(|| words_of(include_str!("words/entities.txt"))).contains(word)
}

/// `fields`, `columns`.
pub(crate) fn is_plural_entity(word: &[u8]) -> bool {
    let mut lower = word.to_ascii_lowercase();
    lower.pop() == Some(b's')
        && (is_entity(&lower) || lower.strip_suffix(b"ie").is_some_and(|stem| is_entity(&[stem, b"y"].concat())))
}

/// Nouns that the name of a file follows, in lower case.
pub(crate) fn is_file_noun(word: &str) -> bool {
    include_str!("words/file_nouns.txt").split_ascii_whitespace().any(|noun| noun == word)
}

/// Words that hold a sentence together and seldom stand in a file name.
pub(crate) fn is_grammar(word: &[u8]) -> bool {
    static SET: OnceLock<FxHashSet<&'static [u8]>> = OnceLock::new();
    word.len() <= 8
        && SET.get_or_init(|| words_of(include_str!("words/grammar.txt"))).contains(&*word.to_ascii_lowercase())
}

/// Whether a word is no part of the language of messages: a name, a noun of another trade, a value.
pub(crate) fn is_free(word: &[u8]) -> bool {
    if word.len() > 24 {
        return true;
    }
    !is_common(word) && !is_entity(&word.to_ascii_lowercase()) && !parts(word).any(is_fault) && !has_verb_ending(word)
}

/// Whether the word says that something is wrong, in one of the languages of messages.
pub(crate) fn is_fault(word: &[u8]) -> bool {
    static SET: OnceLock<FxHashSet<&'static [u8]>> = OnceLock::new();
    let set = SET.get_or_init(|| words_of(include_str!("words/faults.txt")));
    if word.iter().all(u8::is_ascii_lowercase) {
        return word.len() <= 24 && set.contains(word);
    }
    word.len() <= 40 && std::str::from_utf8(word).is_ok_and(|word| set.contains(word.to_lowercase().as_bytes()))
}

/// Whether a text in a script without spaces says that something is wrong.
pub(crate) fn has_dense_fault(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    include_str!("words/faults_dense.txt").split_ascii_whitespace().any(|fault| text.contains(fault))
}

/// Nouns and verbs of an answer that a message repeats.
pub(crate) fn is_answer(word: &str) -> bool {
    const ANSWERS: &[&str] = &[
        "answer",
        "answered",
        "answers",
        "output",
        "outputs",
        "reply",
        "replied",
        "completion",
        "got",
        "said",
        "generated",
        "antwort",
        "antwortete",
        "ausgabe",
        "réponse",
        "répondu",
        "sortie",
        "respuesta",
        "respondió",
        "salida",
        "ответ",
        "вывод",
        "response",
        "text",
        "content",
    ];
    ANSWERS.contains(&word.to_lowercase().as_str())
}

/// Verbs that go on with a subject: `"…" is not a number`.
pub(crate) fn is_verb_of_subject(word: &[u8]) -> bool {
    matches!(
        word,
        b"is"
            | b"are"
            | b"was"
            | b"were"
            | b"has"
            | b"have"
            | b"had"
            | b"does"
            | b"do"
            | b"did"
            | b"must"
            | b"should"
            | b"cannot"
            | b"could"
            | b"can"
            | b"may"
            | b"will"
            | b"would"
            | b"exceeds"
            | b"matches"
            | b"appears"
            | b"stands"
            | b"occurs"
            | b"needs"
            | b"lacks"
            | b"contains"
            | b"ist"
            | b"hat"
            | b"wird"
            | b"est"
            | b"es"
            | b"no"
            | b"not"
    )
}

/// After these comes what a program said: `failed with "…"`, `the server answered "…"`.
pub(crate) fn says(word: &[u8]) -> bool {
    const SAYING: &[&[u8]] = &[
        b"said",
        b"says",
        b"saying",
        b"returned",
        b"returns",
        b"responded",
        b"responds",
        b"replied",
        b"answered",
        b"answers",
        b"reported",
        b"reports",
        b"gave",
        b"raised",
        b"raises",
        b"threw",
        b"throws",
        b"thrown",
        b"with",
        b"because",
        b"by",
        b"as",
        b"got",
        b"meldet",
        b"was",
        b"is",
    ];
    let word = word.to_ascii_lowercase();
    SAYING.contains(&&*word) || explains(&word) || is_fault(&word)
}

/// Keys whose value explains what went wrong: `error`, `msg`, `errorMessage`, `failure_reason`.
pub(crate) fn explains(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 14] = [
        b"error",
        b"err",
        b"message",
        b"msg",
        b"reason",
        b"cause",
        b"detail",
        b"details",
        b"desc",
        b"description",
        b"exception",
        b"str",
        b"stderr",
        b"failure",
    ];
    if key.len() > 24 || word_shape::is_exception(key) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    KEYS.iter().any(|known| key == *known || known.len() > 3 && key.ends_with(known))
        || key == b"errors"
        || key == b"grund"
}

fn words_of(text: &'static str) -> FxHashSet<&'static [u8]> {
    text.split_ascii_whitespace().map(str::as_bytes).collect()
}

/// `decrypted`, `rendering`, `unreadable`: what was done, or can or cannot be.
pub(crate) fn has_verb_ending(word: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 9] = [b"ed", b"ing", b"able", b"ible", b"tion", b"sion", b"ment", b"ly", b"ness"];
    word.len() >= 6 && word.is_ascii() && ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// Whether the word belongs to the vocabulary messages are made of.
pub(crate) fn is_common(word: &[u8]) -> bool {
    static SET: OnceLock<FxHashSet<&'static [u8]>> = OnceLock::new();
    if word.len() > 24 {
        return false;
    }
    let mut lower = [0u8; 24];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let lower = &*lower;
    SET.get_or_init(|| words_of(include_str!("words/vocabulary.txt"))).contains(lower)
}
