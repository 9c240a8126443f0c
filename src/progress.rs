//! How far long work is: a bar on a terminal, nothing anywhere else.
//!
//! Commands switch it on; whoever works says how far it is, whether or not a bar is shown.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What this process shows.
static PROGRESS: Mutex<Progress> = Mutex::new(Progress { is_shown: false, bar: None });

struct Progress {
    /// Whether a bar is shown as soon as there is something to show.
    is_shown: bool,
    bar: Option<ProgressBar>,
}

/// Between two steps of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// Shows a bar until this is dropped.
pub(crate) struct Shown(());

/// Shows the work of this process as a bar on standard error, if that is a terminal.
pub(crate) fn show() -> Shown {
    held().is_shown = std::io::stderr().is_terminal();
    Shown(())
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut progress = held();
        progress.is_shown = false;
        if let Some(bar) = progress.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress {
    /// The bar with this step; none where none is shown.
    fn step(&mut self, what: &'static str) -> Option<&ProgressBar> {
        if !self.is_shown {
            return None;
        }
        let bar = self.bar.get_or_insert_with(new_bar);
        bar.set_message(what);
        Some(bar)
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos} of {len}");
    bar.set_style(style.expect("a constant template"));
    bar.enable_steady_tick(TICK);
    bar
}

/// Begins a step of so many parts.
pub(crate) fn begin(what: &'static str, parts: u64) {
    at(what, 0, parts);
}

/// So many parts of a step are done, of so many.
pub(crate) fn at(what: &'static str, done: u64, parts: u64) {
    if let Some(bar) = held().step(what) {
        bar.set_length(parts);
        bar.set_position(done);
    }
}

/// The step has so many more parts than was known.
pub(crate) fn expect(what: &'static str, more: u64) {
    if let Some(bar) = held().step(what) {
        bar.inc_length(more);
    }
}

/// One more part is done.
pub(crate) fn advance() {
    if let Some(bar) = &held().bar {
        bar.inc(1);
    }
}

fn held() -> MutexGuard<'static, Progress> {
    PROGRESS.lock().unwrap_or_else(PoisonError::into_inner)
}
