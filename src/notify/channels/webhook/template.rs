//! The body that a template makes of the documented JSON, within limits of time and size.
//!
//! Outside text cannot leave its place: in a JSON body every value is written as JSON.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::model::text::{cut_middle, one_line};
use crate::notify::error::{NotifyError, peer_text};
use crate::notify::render::json;
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::{Tier, fit};
use crate::triage::digest::test_digest::trial;

/// What one rendering may cost: instructions, and memory in units of 64 bytes.
const FUEL: u64 = 300_000;

/// The most bytes of a template.
const LARGEST: u64 = 64 << 10;

/// What a template writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// JSON: values are written as JSON, and the whole must be JSON.
    Json,
    /// Text, as it is.
    Text,
}

/// A template that was read and tried.
pub(crate) struct BodyTemplate {
    channel: String,
    environment: Environment<'static>,
    kind: BodyKind,
    values: Map<String, Value>,
}

/// The name of the one template of an environment.
const NAME: &str = "body-template";

impl BodyTemplate {
    /// Reads a template from a file, and tries it.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Self::new`].
    pub(crate) fn read(
        channel: &str,
        path: &Path,
        kind: BodyKind,
        values: Map<String, Value>,
    ) -> Result<BodyTemplate, NotifyError> {
        let wrong = |why: String| {
            NotifyError::Settings(format!("channel \"{channel}\": body-template {}: {why}", path.display()))
        };
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > LARGEST {
            return Err(wrong(format!("has more than {LARGEST} bytes")));
        }
        let source = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        BodyTemplate::new(channel, source, kind, values)
    }

    /// Parses a template and tries it on made-up digests: a usual one, one with a console, and one without any group.
    ///
    /// # Errors
    /// It cannot be parsed or rendered, or makes no JSON where it should.
    pub(crate) fn new(
        channel: &str,
        source: String,
        kind: BodyKind,
        values: Map<String, Value>,
    ) -> Result<BodyTemplate, NotifyError> {
        let wrong = |why: String| NotifyError::Settings(format!("channel \"{channel}\": body-template: {why}"));
        let mut environment = environment(kind);
        environment.add_template_owned(NAME, source).map_err(|error| wrong(reason(&error)))?;
        let template = BodyTemplate { channel: channel.to_owned(), environment, kind, values };
        let usual = trial("", "UTC", jiff::Timestamp::UNIX_EPOCH);
        let with_console = Digest { public_url: Some("https://triage.example.com".to_owned()), ..usual.clone() };
        let empty = Digest { changes: Vec::new(), still_open: Vec::new(), ..usual.clone() };
        for digest in [&usual, &with_console, &empty] {
            template.write(digest).map_err(wrong)?;
        }
        Ok(template)
    }

    /// The largest body that obeys [`json::MOST_BYTES`], beginning at a tier, with the tier it has; empty if the template
    /// writes nothing for this digest.
    ///
    /// # Errors
    /// The template fails for this digest.
    pub(crate) fn render(&self, digest: &Digest, largest: Tier) -> Result<(String, Tier), NotifyError> {
        let mut tier = largest;
        loop {
            let body = self.write(&fit(digest, tier));
            match (body, tier.smaller()) {
                (Ok(body), None) => return Ok((body, tier)),
                (Ok(body), Some(_)) if body.len() <= json::MOST_BYTES => return Ok((body, tier)),
                // What costs too much for many groups may do for few.
                (_, Some(smaller)) => tier = smaller,
                (Err(why), None) => {
                    return Err(NotifyError::Settings(format!("channel \"{}\": body-template: {why}", self.channel)));
                }
            }
        }
    }

    fn write(&self, digest: &Digest) -> Result<String, String> {
        let mut context = json::value(digest);
        context["values"] = Value::Object(self.values.clone());
        let template = self.environment.get_template(NAME).map_err(|error| reason(&error))?;
        let body = template.render(Serde(&context)).map_err(|error| reason(&error))?;
        let body = body.trim();
        if self.kind == BodyKind::Json && !body.is_empty() {
            serde_json::from_str::<serde::de::IgnoredAny>(body)
                .map_err(|error| format!("what it writes is not JSON: {error}"))?;
        }
        Ok(body.to_owned())
    }
}

fn environment(kind: BodyKind) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    // A misspelt name is an error that `check-config` reports, never an empty place in a message.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(move |_| match kind {
        BodyKind::Json => AutoEscape::Json,
        BodyKind::Text => AutoEscape::None,
    });
    environment.set_fuel(Some(FUEL));
    environment.add_filter("line", |text: &str, most: usize| cut_middle(one_line(text).trim(), most).into_owned());
    environment.add_filter("code", |text: &str, most: usize| cut_middle(one_line(text).trim(), most).replace('`', "'"));
    environment.add_filter("html", html);
    environment.add_filter("cut", cut_units);
    environment.add_filter("cut_lines", cut_lines);
    environment.add_filter("cut_bytes", cut_bytes);
    environment
}

/// The text as HTML shows it.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// At most so many UTF-16 code units, which no service counts as more characters than that; the cut is visible.
fn cut_units(text: &str, most: usize) -> String {
    cut_by(text, most, char::len_utf16)
}

/// Whole lines within so many UTF-16 code units, so that no markup is cut in two; the cut is visible.
fn cut_lines(text: &str, most: usize) -> String {
    let size = |text: &str| text.chars().map(char::len_utf16).sum::<usize>();
    if size(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for line in text.split_inclusive('\n') {
        used += size(line);
        if used > most {
            break;
        }
        kept.push_str(line);
    }
    if kept.is_empty() { cut_units(text, most) } else { kept + "…" }
}

/// At most so many bytes; the cut is visible.
fn cut_bytes(text: &str, most: usize) -> String {
    cut_by(text, most, char::len_utf8)
}

fn cut_by(text: &str, most: usize, size: fn(char) -> usize) -> String {
    if text.chars().map(size).sum::<usize>() <= most {
        return text.to_owned();
    }
    let left = most.saturating_sub(size('…'));
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += size(*c);
        used <= left
    });
    let kept: String = kept.collect();
    if most < size('…') { String::new() } else { format!("{kept}…") }
}

/// What is wrong, with the line of the template.
fn reason(error: &Error) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said.push_str(": ");
        said.push_str(&cause.to_string());
        source = cause.source();
    }
    peer_text(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(source: &str, kind: BodyKind) -> Result<BodyTemplate, String> {
        let values = Map::from_iter([("room".to_owned(), "a\"b".into())]);
        BodyTemplate::new("c", source.to_owned(), kind, values).map_err(|error| error.to_string())
    }

    fn written(source: &str, title: &str) -> String {
        let mut digest = trial("", "UTC", jiff::Timestamp::UNIX_EPOCH);
        digest.changes[0].title = title.to_owned();
        template(source, BodyKind::Json).unwrap().render(&digest, Tier::Full).unwrap().0
    }

    #[test]
    fn outside_text_cannot_leave_its_place_in_json() {
        for title in ["\", \"admin\": true, \"x\": \"", "\\", "{{ 7 * 7 }}\n\u{0}", "</script>"] {
            for source in ["{{ g.title }}", "{{ g.title | tojson }}"] {
                let source = format!("{{% for g in groups[:1] %}}{{\"t\": {source}}}{{% endfor %}}");
                let body: Value = serde_json::from_str(&written(&source, title)).unwrap();
                assert_eq!(body, serde_json::json!({ "t": title }));
            }
        }
        let values: Value = serde_json::from_str(&written("[{{ values.room }}]", "")).unwrap();
        assert_eq!(values[0], "a\"b");
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_when_it_is_read() {
        for (source, part) in [
            ("{{ headlin }}", "undefined"),
            ("{{ headline", "syntax error"),
            ("{\"t\": {{ headline }}", "not JSON"),
            ("{{ links.console }}", "undefined"),
            ("{{ groups[0].title }}", "undefined"),
            ("{{ headline | no_filter }}", "no_filter"),
            ("{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}1", "fuel"),
            ("{% for a in range(10000) %}{{ range(10000) | list }}{% endfor %}", "fuel"),
            ("{% set x = 'x' * 90000000 %}{{ x }}", "fuel"),
            ("{% include 'other' %}", "template"),
        ] {
            let said = template(source, BodyKind::Json).map(|_| ()).unwrap_err();
            assert!(said.starts_with("channel \"c\": body-template: ") && said.contains(part), "{source}: {said}");
        }
        assert!(template("{{ links.console if links.console }}", BodyKind::Json).is_ok());
        assert!(template("{{ headline }}", BodyKind::Text).is_ok());
    }

    #[test]
    fn cuts_keep_to_their_unit_and_show() {
        assert_eq!(cut_units("🦙🦙🦙", 6), "🦙🦙🦙");
        assert_eq!(cut_units("🦙🦙🦙", 5), "🦙🦙…");
        assert_eq!(cut_bytes("äöü", 5), "ä…");
        assert_eq!(cut_bytes("äöü", 2), "");
        assert_eq!(cut_lines("ab\ncd\nef", 8), "ab\ncd\nef");
        assert_eq!(cut_lines("ab\ncd\nef", 7), "ab\ncd\n…");
        assert_eq!(cut_lines("abcdef", 4), "abc…");
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_is_named() {
        let read = |path: &Path| {
            BodyTemplate::read("c", path, BodyKind::Json, Map::new()).map(|_| ()).map_err(|error| error.to_string())
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body.j2");
        assert!(read(&path).unwrap_err().contains("body.j2"));
        std::fs::write(&path, "[".repeat(70_000)).unwrap();
        assert!(read(&path).unwrap_err().contains("more than 65536 bytes"));
        std::fs::write(&path, "[1]").unwrap();
        read(&path).unwrap();
    }
}
