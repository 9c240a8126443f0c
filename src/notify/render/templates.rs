//! The shipped templates, compiled into the program.

use std::fmt::Write;
use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    // A misspelt name is an error that the tests see, never an empty place in a mail.
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_formatter(write_value);
    for (name, source) in [
        ("digest.txt", include_str!("templates/digest.txt.j2")),
        ("digest.html", include_str!("templates/digest.html.j2")),
    ] {
        templates.add_template(name, source).expect("a shipped template that the tests compile");
    }
    templates
});

/// Escapes as minijinja does, but for the slash, which ends nothing in text or in a quoted attribute: links are a
/// tenth of a mail, and its size is limited.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let Some(text) = value.as_str().filter(|_| *state.auto_escape() == AutoEscape::Html && !value.is_safe()) else {
        return escape_formatter(out, state, value);
    };
    for c in text.chars() {
        match c {
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '&' => out.write_str("&amp;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#x27;"),
            c => out.write_char(c),
        }?;
    }
    Ok(())
}

/// Fills a shipped template. Names ending in `.html` escape what they are given.
pub(crate) fn render<T: Serialize>(name: &str, values: &T) -> String {
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(Serde(values)))
        .expect("shipped templates use only fields that every view has")
}
