//! The shipped templates of the console, compiled into the program, and the filters that they use.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;

use crate::console::words;
use crate::report::format::html::table::spark;
use crate::report::format::html::{STYLE, escaped};
use crate::report::format::layout::{ago, grouped};

const OWN_STYLE: &str = include_str!("console.css");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_formatter(write_value);
    templates.add_filter("age", age);
    templates.add_filter("moment", moment);
    templates.add_filter("n", |count: u64| grouped(count));
    templates.add_filter("things", things);
    templates.add_filter("share", |share: f64| words::share(share));
    templates.add_filter("spark", |counts: Vec<u64>| Value::from_safe_string(spark(&counts)));
    templates.add_filter("cause", |class: String| words::cause(&class).unwrap_or("your own class"));
    templates.add_filter("advice", |class: String| words::advice(&class).unwrap_or_default());
    templates.add_filter("event", |event: String| words::event(&event).to_owned());
    templates.add_filter("detail", |detail: String| words::detail(&detail));
    templates.add_filter("path", |id: String| words::encoded(&id));
    for (name, source) in [
        ("frame.html", include_str!("templates/frame.html.j2")),
        ("parts.html", include_str!("templates/parts.html.j2")),
        ("home.html", include_str!("templates/home.html.j2")),
        ("groups.html", include_str!("templates/groups.html.j2")),
        ("group.html", include_str!("templates/group.html.j2")),
        ("incidents.html", include_str!("templates/incidents.html.j2")),
        ("incident.html", include_str!("templates/incident.html.j2")),
        ("item.html", include_str!("templates/item.html.j2")),
        ("record.html", include_str!("templates/record.html.j2")),
        ("batch.html", include_str!("templates/batch.html.j2")),
        ("plans.html", include_str!("templates/plans.html.j2")),
        ("plan.html", include_str!("templates/plan.html.j2")),
        ("digest.html", include_str!("templates/digest.html.j2")),
        ("audit.html", include_str!("templates/audit.html.j2")),
        ("search.html", include_str!("templates/search.html.j2")),
        ("ask.html", include_str!("templates/ask.html.j2")),
        ("done.html", include_str!("templates/done.html.j2")),
        ("ledgers.html", include_str!("templates/ledgers.html.j2")),
        ("log_in.html", include_str!("templates/log_in.html.j2")),
        ("log_out.html", include_str!("templates/log_out.html.j2")),
        ("opening.html", include_str!("templates/opening.html.j2")),
        ("problem.html", include_str!("templates/problem.html.j2")),
    ] {
        templates.add_template(name, source).expect("a shipped template that the tests compile");
    }
    templates
});

/// The report's style and the console's own.
pub(crate) fn style() -> String {
    format!("{STYLE}{OWN_STYLE}")
}

/// Text from outside as text: escaped, and without characters that steer.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str().filter(|_| *state.auto_escape() == AutoEscape::Html && !value.is_safe()) {
        Some(text) => Ok(out.write_str(&escaped(text))?),
        None => escape_formatter(out, state, value),
    }
}

/// Fills a shipped template.
pub(crate) fn render<T: Serialize>(name: &str, values: &T) -> Result<String, Error> {
    TEMPLATES.get_template(name)?.render(Serde(values))
}

/// The moment of a page and the zone of its times, as templates hand them to filters.
pub(crate) fn clock(now: Timestamp, zone: &TimeZone) -> String {
    format!("{now} {}", zone.iana_name().unwrap_or("UTC"))
}

fn read(at: &Value, clock: &str) -> Result<Option<(Timestamp, Timestamp, TimeZone)>, Error> {
    if matches!(at.kind(), ValueKind::None) {
        return Ok(None);
    }
    let wrong = |error: jiff::Error| Error::new(ErrorKind::InvalidOperation, error.to_string());
    let (now, zone) = clock.split_once(' ').unwrap_or((clock, "UTC"));
    let at = at.as_str().unwrap_or_default().parse().map_err(wrong)?;
    Ok(Some((at, now.parse().map_err(wrong)?, TimeZone::get(zone).map_err(wrong)?)))
}

/// "4 min ago", with the time behind it; "–" for none.
fn age(at: Value, clock: &str) -> Result<Value, Error> {
    let shown = read(&at, clock)?.map_or_else(
        || "–".to_owned(),
        |(at, now, zone)| {
            let age = if at > now { local(at, &zone) } else { ago(at, now) };
            format!("<time datetime=\"{at:.0}\" title=\"{}\">{age}</time>", local(at, &zone))
        },
    );
    Ok(Value::from_safe_string(shown))
}

/// "2026-11-30 18:04 CET"; "–" for none.
fn moment(at: Value, clock: &str) -> Result<Value, Error> {
    let shown = read(&at, clock)?.map_or_else(
        || "–".to_owned(),
        |(at, _, zone)| format!("<time datetime=\"{at:.0}\">{}</time>", local(at, &zone)),
    );
    Ok(Value::from_safe_string(shown))
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// "1 item", "2,000 items".
fn things(count: u64, one: &str) -> String {
    crate::report::format::layout::counted(count, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_text_and_times_have_their_zone() {
        let mut values = std::collections::BTreeMap::from([
            ("title", "<script>alert(1)</script>\u{202e}\"'&"),
            ("text", "x"),
            ("clock", "2026-11-30T18:04:00Z Europe/Berlin"),
        ]);
        let written = |values: &std::collections::BTreeMap<&str, &str>, source: &str| {
            TEMPLATES.render_named_str("x.html", source, Serde(values)).unwrap()
        };
        let text = written(&values, "{{ title }}");
        assert!(!text.contains('<') && !text.contains('"') && !text.contains('\u{202e}'), "{text}");
        values.insert("at", "2026-11-30T18:00:00Z");
        assert_eq!(
            written(&values, "{{ at|age(clock) }}"),
            "<time datetime=\"2026-11-30T18:00:00Z\" title=\"2026-11-30 19:00 CET\">4 min ago</time>"
        );
    }
}
