//! What standard output is: a terminal of some width, or a pipe.

use std::io::IsTerminal;

/// What standard output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether people watch it.
    pub is_terminal: bool,
    /// Its columns; none when it is no terminal.
    pub width: Option<u16>,
    /// Whether escape codes for colour may be written.
    pub colour: bool,
    /// Whether OSC 8 links may be written.
    pub links: bool,
}

impl Terminal {
    /// Standard output as it is; `choice` is what `--color` asked for. `NO_COLOR` and `CLICOLOR_FORCE` are obeyed.
    pub fn stdout(choice: anstream::ColorChoice) -> Terminal {
        let stdout = std::io::stdout();
        let is_terminal = stdout.is_terminal();
        let choice = match choice {
            anstream::ColorChoice::Auto => anstream::AutoStream::choice(&stdout),
            choice => choice,
        };
        let colour = choice != anstream::ColorChoice::Never;
        Terminal {
            is_terminal,
            width: terminal_size::terminal_size_of(&stdout).filter(|_| is_terminal).map(|(width, _)| width.0),
            colour,
            links: is_terminal && colour && shows_links(|name| std::env::var(name).ok()),
        }
    }
}

/// Whether the terminal is one that is known to show OSC 8 links; others may print their codes.
fn shows_links(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, values: &[&str]| {
        variable(name).is_some_and(|value| values.iter().any(|known| value.starts_with(known)))
    };
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let vte = variable("VTE_VERSION").and_then(|version| version.parse::<u32>().ok());
    is("TERM_PROGRAM", &["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby"])
        || is("TERM", &["xterm-kitty", "foot", "alacritty", "xterm-ghostty"])
        || is_set("WT_SESSION")
        || is_set("KONSOLE_VERSION")
        || is_set("DOMTERM")
        || vte.is_some_and(|version| version >= 5000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_only_to_terminals_known_to_show_them() {
        let with = |name: &'static str, value: &'static str| {
            shows_links(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(with("VTE_VERSION", "7200"));
        assert!(with("TERM", "xterm-kitty"));
        assert!(!with("VTE_VERSION", "4900"));
        assert!(!with("TERM", "xterm-256color"));
        assert!(!with("TERM", "dumb"));
    }
}
