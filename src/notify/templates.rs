//! The shipped templates, compiled into the program.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    // A misspelt name is an error that the tests see, never an empty place in a mail.
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("digest.txt", include_str!("templates/digest.txt.j2")),
        ("digest.html", include_str!("templates/digest.html.j2")),
    ] {
        templates.add_template(name, source).expect("a shipped template that the tests compile");
    }
    templates
});

/// Fills a shipped template. Names ending in `.html` escape what they are given.
pub(super) fn render<T: Serialize>(name: &str, values: &T) -> String {
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(Serde(values)))
        .expect("shipped templates use only fields that every view has")
}
