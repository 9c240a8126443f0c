//! The part of `docs/development/faults.md` about channels.

use llama_triage::internals::config::ChannelKind;
use regex::Regex;

use super::{Cell, Measured, channel_faults};

const INTRODUCTION: &str = "
## Channels

Faults of receivers: each at its own channel, all at once, beside a channel that works.
In every cell the following held, or the test would have failed:

- the channel that works got every digest, and reported each channel with undeliverable digests;
- a digest whose fault was over before the second try came under the same id, and to mail and webhooks byte for byte the same;
- nothing was tried for ever, and no address, key or password was shown;
- once a channel was repaired its next digest came, and the end of its fault was reported.

A cell says what becomes of a digest after its first try, and then while the fault lasts.

- **arrives**: it counts as sent. **smaller**: it was written again with fewer groups or samples, and the totals.
- **again after**: it is tried again then, and after 1 min, 5 min, for two hours every 10 min, for six more every half hour, and for the rest of a day every hour; a page every minute for half an hour, every 2 min up to the fifth hour, and every 10 min for the rest of a day. **unclear**: it may have arrived; a second copy has the same id, and in Slack and Teams says what it is.
- **dead**: it is undeliverable, and the other channels report it. **comes later**: once the channel is repaired, the channel's next digest brings the news. **not again**: it does not, because the peer rejected the content and would again, or has a part of it; what is open is in each day's digest all the same.

";

/// The tables of all kinds.
pub(crate) fn render(measured: &[Measured]) -> String {
    let (mail, others): (Vec<&Measured>, Vec<&Measured>) =
        measured.iter().partition(|measured| measured.kind == ChannelKind::Email);
    let mut page = INTRODUCTION.to_owned() + &table(&others) + "\n" + &table(&mail);
    page += "\nWhat is said of them, once for all kinds:\n\n| said | of |\n|---|---|\n";
    for (said, of) in messages(measured) {
        page += &format!("| {} | {} |\n", said.replace('|', "\\|"), of.join("; "));
    }
    page
}

fn table(kinds: &[&Measured]) -> String {
    let mut rows = String::from("| fault |");
    kinds.iter().for_each(|measured| rows += &format!(" {} |", measured.kind.as_str()));
    rows += &format!("\n|---|{}\n", "---|".repeat(kinds.len()));
    for trouble in channel_faults::all(kinds[0].kind) {
        let cells: Vec<String> = kinds.iter().map(|measured| words(&measured.cells[trouble.name])).collect();
        rows += &format!("| {} | {} |\n", trouble.name, cells.join(" | "));
    }
    rows
}

fn words(cell: &Cell) -> String {
    let Cell { first, tries, dead, carried, .. } = cell;
    let later = if *carried { "comes later" } else { "not again" };
    match (*dead, first.as_str()) {
        (false, _) => first.clone(),
        (true, "dead" | "dead, smaller") => format!("{first}, {later}"),
        (true, _) => format!("{first}; dead after {tries} tries, {later}"),
    }
}

/// Every saying without ports, and the faults that made it.
fn messages(measured: &[Measured]) -> Vec<(String, Vec<&'static str>)> {
    let ports = Regex::new(r"localhost:\d+").unwrap();
    let mut found: Vec<(String, Vec<&'static str>)> = Vec::new();
    for kind in measured {
        for trouble in channel_faults::all(kind.kind) {
            let said = &kind.cells[trouble.name].said;
            if said.is_empty() {
                continue;
            }
            let said = ports.replace_all(said, "…").into_owned();
            match found.iter_mut().find(|(known, _)| *known == said) {
                Some((_, of)) if of.contains(&trouble.name) => {}
                Some((_, of)) => of.push(trouble.name),
                None => found.push((said, vec![trouble.name])),
            }
        }
    }
    found
}
