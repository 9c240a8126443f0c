//! `docs/development/faults.md`: what was measured, as people read it.

use std::collections::BTreeMap;

use regex::Regex;

use super::api_faults::ApiFault;
use super::channels;
use super::measure::{Cell, Measured};
use super::retries::Retried;
use super::retry_stage::RetryStage;
use super::stage::Stage;

const INTRODUCTION: &str = "\
# What faults of LlamaCloud do

This page is written by a test (`cargo test --test it faults`), which injects each fault at each place of a cycle and checks the outcome.
`BLESS=1 cargo test --test it faults` writes it again.

In every cell the following held, or the test would have failed:

- nothing that had been recorded was lost, and no failure was called recovered;
- a scan that had not read everything did not call itself complete, said why on standard error, and ended with exit code 1;
- a scan that called itself complete ended with exit code 0;
- a failing project had no effect on others;
- no API key was shown;
- the next cycle without the fault was complete, and the ledger then held exactly what had happened.

A cell says what became of the scan of that project, how many of its new failures were recorded at once, and how many requests met the fault.

- **no harm**: everything was read.
- **incomplete**: what could be read is kept, the rest comes with the next scan; reported after three such scans in a row.
- **counted**: rows that could not be read are counted (`report summary` shows them) and tried again in the next scan, then once a day.
- **gone**: everything was read but a batch that LlamaCloud said not to exist; an unfinished one is asked for again for a day.
- **stops**: no request of this project can succeed, so none is made; reported at once.

For a second page the lists are read in pages of two.
The `single batch` is one that left the look-back window unfinished; `recovery` reads a newer batch for items that have completed.
";

const RETRIES: &str = "
## Retries

The same faults, each at each place of a retry.
In every cell the following held, or the test would have failed:

- no intent was posted twice, and no item was processed a third time where two attempts are enough;
- hours after the fault, and after `reprocess resume all` where an account was stopped, every item had recovered whose cause was known;
- then no intent was left half done, and `ledger check` found nothing.

- **read** / **asked again** / **nothing**: the job record gave a cause; or it is asked again in a later cycle (an answer that makes no sense: three times at most); or this record is taken to have none, and the item needs a decision. None of it costs the cycle anything.
- **posted** / **waits**: the item was retried all the same; or not before it can be asked what is to be known first.
- **under way**: the POST was answered, its end is not known yet. **done**: what came of it is known.
- **refused**: the answer proves that no batch was made; the items are free again. **stops**: so are all retries of the project, reported at once.
- **unclear**: a batch may have been made; it is looked for, and nothing is posted again before it was found or cannot exist.

";

/// The whole page.
pub(crate) fn render(
    api_faults: &[ApiFault],
    measured: &[(Stage, Measured)],
    retried: &[(RetryStage, Retried)],
    channels: &[channels::Measured],
) -> String {
    let mut page = format!("{INTRODUCTION}\n## Outcomes\n\n| fault |");
    for (stage, _) in measured {
        page += &format!(" {} |", stage.heading());
    }
    page += &format!("\n|---|{}\n", "---|".repeat(measured.len()));
    for trouble in api_faults {
        page += &format!("| {} |", trouble.name);
        for (_, measured) in measured {
            page += &format!(" {} |", outcome(trouble, &measured.cells[&trouble.name]));
        }
        page.push('\n');
    }
    page += RETRIES;
    page += &retry_faults(api_faults, retried);
    page += "\n## What is said\n\nIds, hosts and paths are left out. The same words after another place are listed once.\n\n";
    page += "| said | of |\n|---|---|\n";
    for (said, of) in messages(api_faults, measured) {
        page += &format!("| {} | {} |\n", said.replace('|', "\\|"), of.join("; "));
    }
    page + &channels::render(channels)
}

fn retry_faults(api_faults: &[ApiFault], retried: &[(RetryStage, Retried)]) -> String {
    let mut rows = String::from("| fault |");
    retried.iter().for_each(|(stage, _)| rows += &format!(" {} |", stage.heading()));
    rows += &format!("\n|---|{}\n", "---|".repeat(retried.len()));
    for trouble in api_faults {
        let cells: Vec<&str> = retried.iter().map(|(_, retried)| retried.cells[&trouble.name].as_str()).collect();
        rows += &format!("| {} | {} |\n", trouble.name, cells.join(" | "));
    }
    rows
}

fn outcome(trouble: &ApiFault, cell: &Cell) -> String {
    let word = match (cell.complete, cell.told) {
        (true, _) if cell.gone => "gone",
        (true, _) if cell.unreadable > 0 => "counted",
        (true, _) => "no harm",
        (false, false) => "incomplete",
        (false, true) => "stops",
    };
    let mut text = format!("{word}, {} of {}", cell.kept, cell.new);
    if cell.unreadable > 0 {
        text += &format!(", {} unreadable", cell.unreadable);
    }
    // How often a slow answer is waited for before the server sees the request depends on the machine.
    if trouble.is_slow() { text } else { text + &format!(", {} asked", cell.asks) }
}

/// Every saying without what differs from run to run and from place to place, and the faults that made it.
fn messages(api_faults: &[ApiFault], measured: &[(Stage, Measured)]) -> Vec<(String, Vec<String>)> {
    let ids = Regex::new(
        r"(127\.0\.0\.1:\d+|/api/v1/beta/batch-processing(/\S*[^\s:;,])?|bjb-[0-9a-f-]{36}| at line \d+ column \d+)",
    )
    .unwrap();
    let place = Regex::new(r"^(batch …: )?could not [a-z ]+(\d\S+)?: ").unwrap();
    let mut order: Vec<String> = Vec::new();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for trouble in api_faults {
        for (_, measured) in measured {
            let Some(said) = &measured.cells[&trouble.name].said else { continue };
            let short = ids.replace_all(said, "…");
            let short = place.replace(&short, "").replacen("batch …: ", "", 1);
            let of = found.entry(short.clone()).or_insert_with(|| {
                order.push(short);
                Vec::new()
            });
            if of.last() != Some(&trouble.name) {
                of.push(trouble.name.clone());
            }
        }
    }
    order
        .into_iter()
        .map(|said| {
            let of = found.remove(&said).unwrap_or_default();
            (said, of)
        })
        .collect()
}
