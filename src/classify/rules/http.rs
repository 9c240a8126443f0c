//! Finds the HTTP statuses a message speaks of, and no page counts, byte sizes or exit codes.
//!
//! A number from 400 to 599 counts only beside a word that makes it a status, or its reason phrase.
//! What a status means is said by the rules (`http = [503]`).

use std::sync::LazyLock;

use regex::Regex;

/// Words that make the number after them a status: `HTTP 503`, `status_code: 500`, `Response [429]`, `responded with 401`.
const BEFORE: &str = r#"(?ix)
    (?: \b http (?: s? / [0-9.]+ )? (?: [\s_-]? (?: status | error | code | response | exception | fehler ) ){0,2}
      | status (?: [\s_-]? (?: code | enum ) )? | statuscode
      | \b (?: error | err | fehler | erreur | erro | errore ) (?: [\s_-]? code )?
      | \b code | \b response | \b (?: returned | returns | got | received | replied | answered | responded | failed ) (?: \s with | \s an? )?
      | \b rc | \bcodestatut | ステータス(?:コード)? | 状态码 | エラー | 错误码?
    )
    (?: \s of | \s was | \s is )?
    ["'”]? \s* [:=\#(\[<]* \s* ["'(\[<]?
    ( [45][0-9][0-9] )"#;

/// A number followed by its reason phrase: `502 Bad Gateway`, `404 Client Error`.
const REASON: &str = r"(?ix) \b ( [45][0-9][0-9] ) [\s:\-–—,)\]]* (?:
      bad\s?request | unauthori[sz]ed | payment\srequired | forbidden | not\sfound | method\snot | not\sacceptable | request\stime
    | conflict | gone | content\stoo | payload\stoo | request\sentity | unsupported\smedia | unprocessable | locked | too\s?early | too\s?many
    | permission\s | access\sdenied | internal | not\simplemented | bad\s?gateway | service\s(?:temporarily\s)?unavailable | gateway | client\serror | server\serror | insufficient\sstorage
    | (?:received|returned)\s(?:from|by)\s | overloaded | site\sis\soverloaded | web\sserver | origin | a\stimeout\soccurred | error\b | from\s(?:upstream|server|origin|backend) | response\b | status\b )";

/// The whole message, or its first word before a colon: `503`, `[502] upstream`, `500: …`.
const ALONE: &str = r"^\s*[\[(<]?([45][0-9][0-9])[\])>]?\s*(?:$|[.!]?\s*$|:\s)";

/// What after the number shows that it counts or measures something.
const UNIT: &str = r"(?ix) ^ (?: [.,][0-9] | % | [0-9a-z_/] | - [a-z0-9]
    | \s* (?: of | out\sof | / ) \s* [0-9]
    | [\s-]* (?: pages? | pp\b | p\. | bytes? | [kmgt]i?b\b | b\b | items? | files? | docs? | documents? | records? | rows? | cells? | columns? | lines?
      | images? | tokens? | credits? | chars? | characters? | words? | ms\b | s\b | sec | min | hours? | days? | px\b | pixels? | dpi | x\b | × | usd | eur | \$ | €
      | times? | attempts? | retries | jobs? | requests? | entries | objects? | elements? | seiten | páginas | paginas | pagine | ページ | 页 | bytes ) )";

static PATTERNS: LazyLock<[Regex; 3]> =
    LazyLock::new(|| [BEFORE, REASON, ALONE].map(|text| Regex::new(text).expect("a constant pattern compiles")));
static UNIT_PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(UNIT).expect("a constant pattern compiles"));
static NOT_HTTP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:exit|return|rule|sql|zip|postal|error on page|page)[\s_-]*(?:code|status)?\s*[:=(]?\s*$")
        .expect("a constant pattern compiles")
});
/// Before `got 429`: words before a value that was expected.
static EXPECTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:must|should|between|at\s(?:least|most)|(?:less|greater|more|fewer|larger|smaller)\sthan|max(?:imum)?|min(?:imum)?|expected\s(?:[a-z]+\s){0,3}([0-9]+))\b[^.;\n]*$")
        .expect("a constant pattern compiles")
});

/// A status and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusSpan {
    /// The status, 400 to 599.
    pub status: u16,
    /// Byte range of the words that made it a status.
    pub span: std::ops::Range<usize>,
}

/// The statuses `message` speaks of, in reading order of the patterns; empty when there is none.
pub(crate) fn statuses(message: &str) -> Vec<StatusSpan> {
    let mut found: Vec<StatusSpan> = Vec::new();
    for pattern in PATTERNS.iter() {
        for captures in pattern.captures_iter(message) {
            let (Some(whole), Some(number)) = (captures.get(0), captures.get(1)) else { continue };
            let reasoned = whole.end() > number.end();
            if (!reasoned && UNIT_PATTERN.is_match(&message[number.end()..]))
                || NOT_HTTP.is_match(&message[..whole_start_of_word(message, whole.start(), number.start())])
                || is_of_a_value(message, whole.start())
            {
                continue;
            }
            let Ok(status) = number.as_str().parse() else { continue };
            if !found.iter().any(|seen| seen.status == status) {
                found.push(StatusSpan { status, span: whole.range() });
            }
        }
    }
    found
}

/// "must be at most 300, got 429" and "expected 503 rows, got 500" compare values; "expected 200, got 503" speaks of a server.
fn is_of_a_value(message: &str, start: usize) -> bool {
    let said = message[start..].to_ascii_lowercase();
    if !said.starts_with("got") && !said.starts_with("received") {
        return false;
    }
    EXPECTED.captures(&message[..start]).is_some_and(|expected| {
        expected.get(1).is_none_or(|number| {
            let success = matches!(number.as_str().parse(), Ok(200..=208_u32));
            !success || UNIT_PATTERN.is_match(&message[number.end()..])
        })
    })
}

/// "exit code 401": the word before `code` decides, so look up to the number when the match began inside a longer phrase.
fn whole_start_of_word(message: &str, start: usize, number: usize) -> usize {
    let lead = message[start..number].trim_start().to_ascii_lowercase();
    if lead.starts_with("code") || lead.starts_with("status") { number } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &[u16]) {
        let found: Vec<u16> = statuses(message).into_iter().map(|s| s.status).collect();
        assert_eq!(found, expected, "{message}");
    }

    #[test]
    fn a_status_is_distinguished_from_a_count() {
        check("HTTP 503", &[503]);
        check("HTTP/1.1 502 Bad Gateway", &[502]);
        check("status_code: 500, body: x", &[500]);
        check("Request failed with status code 429", &[429]);
        check("<Response [504]>", &[504]);
        check(r#"{"status":503,"title":"x"}"#, &[503]);
        check("503", &[503]);
        check("[502] upstream", &[]);
        check("500: boom", &[500]);
        check("server responded with 401", &[401]);
        check("Error code: 529 - {'type': 'error'}", &[529]);
        check("404 Client Error: Not Found for url", &[404]);
        check("500 pages exceed the limit", &[]);
        check("document has 401 pages", &[]);
        check("received 503 bytes of 2048", &[]);
        check("got 429 rows", &[]);
        check("error on page 404 of 512", &[]);
        check("worker exited with code 139", &[]);
        check("exit code 401", &[]);
        check("error: 500 pages is too many", &[]);
        check("got 500,000 characters", &[]);
        check("received 502 of 600 parts", &[]);
        check("503 returned by the parser", &[503]);
        check("503 received, 500 parsed", &[]);
        check("the overlap must be at most 300, got 429", &[]);
        check("expected 410 columns but got 502", &[]);
        check("expected 200 rows, got 503", &[]);
        check("expected 200, got 503", &[503]);
        check("expected a 2xx status, received 502", &[502]);
    }
}
