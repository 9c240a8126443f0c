//! Where a process is killed: after a random time, or when someone outside of it sees something happen.

use std::time::Duration;

use llama_triage::internals::simulator::Random;

use super::sinks::Hold;

/// A moment to kill at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// So long after the start.
    After(Duration),
    /// LlamaCloud has got this many requests of the process.
    Requests(u64),
    /// LlamaCloud has carried out another POST of the process; its answer may still be under way.
    Posted,
    /// The ledger's answer to this question has changed: something was committed.
    Committed(&'static str),
    /// A sink got this far.
    Held(Hold),
}

/// Commits of every step, by what they leave in the ledger.
const COMMITS: [&str; 8] = [
    "SELECT count(*) FROM scan",
    "SELECT count(*) FROM observation",
    "SELECT count(*) FROM error_group",
    "SELECT count(*) FROM batch WHERE listed_as IS NOT NULL",
    "SELECT count(*) FROM scan WHERE finished_at IS NOT NULL",
    "SELECT count(*) FROM digest",
    "SELECT count(*) FROM delivery WHERE state = 'sending'",
    "SELECT count(*) FROM delivery WHERE state = 'sent'",
];

/// Commits of retries: the intent, the moment before its POST, its answer, what was looked for, what came of it.
const RETRIES: [&str; 5] = [
    "SELECT count(*) FROM intent",
    "SELECT count(*) FROM intent WHERE posting_at IS NOT NULL",
    "SELECT count(*) FROM intent WHERE batch_id IS NOT NULL",
    "SELECT count(*) FROM intent WHERE checked_at IS NOT NULL",
    "SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL",
];

const HOLDS: [Hold; 5] =
    [Hold::MailConnected, Hold::MailBegun, Hold::MailTaken, Hold::MailAcknowledged, Hold::HookTaken];

impl Point {
    /// What it is called when kills are counted.
    pub(crate) fn name(self) -> String {
        match self {
            Point::After(_) => "a random instant".to_owned(),
            Point::Requests(_) => "a request".to_owned(),
            Point::Posted => "a POST".to_owned(),
            Point::Committed(question) => question.trim_start_matches("SELECT count(*) FROM ").to_owned(),
            Point::Held(hold) => format!("{hold:?}"),
        }
    }

    /// The names of all points.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        let commits = COMMITS.into_iter().chain(RETRIES).map(Point::Committed);
        let others = [Point::After(Duration::ZERO), Point::Requests(0), Point::Posted];
        others.into_iter().chain(commits).chain(HOLDS.map(Point::Held)).map(Point::name)
    }

    /// A random one: a fifth by time, the others by what happens, most often to retries.
    pub(crate) fn draw(random: &mut Random) -> Point {
        match random.between(0, 14) {
            0..=2 => Point::After(Duration::from_millis(random.between(0, 1_500))),
            3 => Point::Requests(random.between(1, 12)),
            4..=6 => Point::Committed(COMMITS[random.between(0, 7) as usize]),
            7..=11 => Point::Committed(RETRIES[random.between(0, 4) as usize]),
            12 => Point::Posted,
            _ => Point::Held(*random.pick(&HOLDS)),
        }
    }
}
