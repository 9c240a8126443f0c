//! Blanks out what in a message is someone else's data: file names, quoted values, URLs, paths.
//!
//! A document may be called `timeout report.pdf`; that says nothing about why it failed.
//! Every masked byte becomes `_` in what names a file and `~` in all else, so byte positions stay those of the message
//! and a match can be shown in the original.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::classify::rules::name::file_names;
use crate::classify::rules::quote::quotations;

/// Extensions that make a word a file name. Those of program sources are left out: `main.rs:12` is a place, not data.
pub(crate) const EXTENSIONS: &str = "pdf|docx?|docm|dotx?|rtf|odt|ods|odp|pptx?|pptm|xlsx?|xlsm|xlsb|csv|tsv|txt|md|html?|xml|json|epub|pages|numbers|key|jpe?g|png|gif|bmp|tiff?|webp|svg|heic|eml|msg|zip|7z|tar|gz|mp3|mp4|wav|m4a|hwpx?|djvu|ps|tex|bin|dat";

/// Words whose quoted neighbour names a file: `document 'Invoice'`.
const FILE_LEADS: &str = r"\b(?:file|files|filename|file_name|item_name|document|doc|pdf|image|attachment|sheet|worksheet|workbook|folder|directory|dir|path|item|bucket|object|Datei|Dokument|fichier|document|archivo|documento|arquivo|ficheiro)|ファイル|文書|文件|文档|檔案";

/// Words whose quoted neighbour is a value and not a sentence: `field "timeout"`.
const LEADS: &str = r"\b(?:field|column|key|property|parameter|param|option|argument|schema|template|table|name|named|called|titled|value|input|input_value|text|string|word|words|prompt|query|tag|label|section|heading|line|got|found|received|near|saw|contains|caption|paragraph|clause|citation|footnote|sentence|stamp|watermark|rule|category|customer|client|company|vendor|supplier|tenant|author|reads|mentions|cell|subject|phrase|Feld|champ|campo)|字段";

static URL: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)\b(?:https?|s3|gs|ftp|file|wasbs?)://[^\s"'<>)\]]+"#));
static API_URL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^https?://[^/?]+/(?:v[0-9]|api(?:/v[0-9])?)/"));
static PATH: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?:^|[\s"'(=:])((?:[A-Za-z]:)?(?:[/\\][\w .@+-]*\w){2,}[/\\]?[\w.@+-]*)"#));
static LED: LazyLock<Regex> = LazyLock::new(|| value_after(LEADS));
static FILE_LED: LazyLock<Regex> = LazyLock::new(|| value_after(FILE_LEADS));
static JSON_LED: LazyLock<Regex> =
    LazyLock::new(|| json_led("input|input_value|key|field|value|query|prompt|content|subject"));
static JSON_FILE_LED: LazyLock<Regex> = LazyLock::new(|| json_led("file|filename|file_name|document|item_name|path"));
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r#"(?i)["'“„‘«「『《`]([^"'”“’»」』》`\n]{{1,300}}\.(?:{EXTENSIONS}))["'”“’»」』》`]"#))
});
/// The name of a parameter or field without quotes: `parameter rate_limit`.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:parameter|param|option|argument|setting|property|attribute|field|column|variable)s?:?\s+([a-z0-9]+(?:[_.][a-z0-9]+)+)\b",
    )
});
/// Where a validator found a value, which is a path of names: `"loc": ["body", "retry", "timeout"]`.
static LOC: LazyLock<Regex> = LazyLock::new(|| pattern(r#"["']loc["']\s*:\s*[\[(]([^\])]{1,300})[\])]"#));
static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix) \b (?: (?:is|was|are|were|has|did|does)?n['’]?t | not | never | no | without | neither | nor | nicht | kein(?:e|en)? | pas | sans | sin | non | senza | sem | não )
        (?: \s (?: a | an | the | any | by | been | be | due\sto | because\sof | caused\sby | hit | have | in | of | yet | really | of\sa | related\sto | une? | de ) ){0,3} \s
        ( (?: (?:client|server|network|read|connection|request|http|file|pdf|document)[\s-] )?
          (?: time[\s-]?d?[\s-]?outs? | timing\sout | password(?:[\s-](?:protected|protection))? | (?:password[\s-])?protected | encrypted | encryption | rate[\s-]?limit(?:s|ed|ing)? | thrott?l\w*
            | corrupt\w* | damaged | broken | cancell?ed | empty | transient | temporary | expired | too\slarge | oversized | unauthori[sz]ed | retry?able | outage | overload\w*
            | network\s(?:error|issue|problem)s? | (?:connection|connectivity)\s(?:error|issue|problem)s? | (?:credit|quota|billing|auth\w*|permission|memory)\s(?:issue|problem|error)s?
            | geschützt | verschlüsselt | beschädigt | leer | protégée? | chiffrée? | corrompue? | vide | protegido | cifrado | dañado | vacío | protetto | corrotto | vuoto ) )",
    )
});

fn value_after(leads: &str) -> Regex {
    pattern(&format!(
        r#"(?i)(?:{leads})\s*(?:=|:|was|is)?\s*(?:"([^"\n]{{1,300}})"|'([^'\n]{{1,300}})'|“([^”\n]{{1,300}})”|„([^“”\n]{{1,300}})[“”]|‘([^’\n]{{1,300}})’|«([^»\n]{{1,300}})»|「([^」\n]{{1,300}})」|『([^』\n]{{1,300}})』|《([^》\n]{{1,300}})》|`([^`\n]{{1,300}})`)"#
    ))
}

fn json_led(keys: &str) -> Regex {
    pattern(&format!(r#"(?i)["'](?:{keys})["']\s*[:=]\s*(?:"([^"\n]{{1,300}})"|'([^'\n]{{1,300}})')"#))
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// `message` with data and denied causes ("not password protected") blanked; borrowed when there is nothing to blank.
pub(crate) fn mask_data(message: &str) -> Cow<'_, str> {
    let mut values = quotations(message);
    values.extend([&*LED, &*JSON_LED, &*NAME, &*LOC].into_iter().flat_map(|regex| inner(regex, message)));
    values.extend(NEGATED.find_iter(message).map(|found| found.range()));
    let mut files = file_names(message);
    files.extend(URL.find_iter(message).filter(|url| !API_URL.is_match(url.as_str())).map(|url| url.range()));
    files.extend([&*FILE_LED, &*JSON_FILE_LED, &*NAMED, &*PATH].into_iter().flat_map(|regex| inner(regex, message)));
    if values.is_empty() && files.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut bytes = message.as_bytes().to_vec();
    for (ranges, mark) in [(values, b'~'), (files, b'_')] {
        for range in ranges {
            bytes[range].fill(mark);
        }
    }
    // Ranges come from regex matches and therefore lie on character boundaries.
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the first group that took part in each match holds.
fn inner(regex: &Regex, message: &str) -> Vec<Range<usize>> {
    let group = |captures: regex::Captures<'_>| captures.iter().skip(1).flatten().next().map(|found| found.range());
    regex.captures_iter(message).filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, gone: &[&str], kept: &[&str]) {
        let masked = mask_data(message);
        assert_eq!(masked.len(), message.len());
        for word in gone {
            assert!(!masked.contains(word), "{word:?} is left in {masked:?}");
        }
        for word in kept {
            assert!(masked.contains(word), "{word:?} is gone from {masked:?}");
        }
    }

    #[test]
    fn data_is_blanked_and_the_sentence_stays() {
        check("The document \"timeout report.pdf\" is password protected", &["timeout"], &["password protected"]);
        check("timeout report.pdf is password protected", &["timeout"], &["password protected"]);
        check("File password protected list.pdf: connection reset", &["password"], &["connection reset"]);
        check("Read timeout while parsing report.pdf", &["report"], &["Read timeout while parsing"]);
        check("field 'rate limit' is required", &["rate"], &["is required"]);
        check("parameter rate_limit: too low", &["rate"], &["parameter", "too low"]);
        check(r#"{"loc":["body","read_timeout"],"msg":"field required"}"#, &["timeout"], &["field required"]);
        check(r#"Clause "payment required" ends early"#, &["payment"], &["Clause", "ends early"]);
        check(r#"error: "Unauthorized""#, &[], &["Unauthorized"]);
        check(r#"{"detail":"the token is not valid here"}"#, &[], &["the token is not valid here"]);
        check(r#"{"error":{"message":"Rate limit reached","type":"requests"}}"#, &[], &["Rate limit reached"]);
        check("GET https://bucket.example.com/timeout/503.pdf?x=1 failed", &["timeout", "503"], &["failed"]);
        check("ファイル「タイムアウト.pdf」は暗号化されています", &["タイムアウト"], &["暗号化"]);
        check("can't open 'x.pdf': unexpected end of file", &["x.pdf"], &["can't open", "unexpected end of file"]);
    }

    #[test]
    fn a_denied_cause_is_no_cause() {
        check("the file is not password protected but empty", &["password"], &["empty"]);
        check("this was not a timeout", &["timeout"], &[]);
        check("not supported, not found, no data", &[], &["not supported", "not found", "no data"]);
    }

    #[test]
    fn a_message_without_data_is_borrowed() {
        assert!(matches!(mask_data("Internal Server Error"), Cow::Borrowed(_)));
    }
}
