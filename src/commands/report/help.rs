//! Help that teaches: the questions and their commands. Every example is run by a test.

/// The end of `report -h`.
pub(crate) const SHORT: &str = "\
Queries: summary (default) groups group incidents incident items item record batches batch skipped missing trend retries mttr digests deliveries audit sql
`report --help` explains each query.";

/// The end of `report --help`.
pub(crate) const QUESTIONS: &str = "\
Questions and their commands:
  What is failing now?                     llama-triage report
  What is new since yesterday evening?     llama-triage report groups --since 16h --sort new
  Which groups need a first look?          llama-triage report groups --state new,escalating
  Details of one group                     llama-triage report group g-4f
  What began to fail together?             llama-triage report incidents --since 7d
  Details of one incident                  llama-triage report incident n-5d
  Which items are open?                    llama-triage report items --state open
  … of one batch, as a spreadsheet         llama-triage report items --batch bjb-71 --format csv
  What happened to this item?              llama-triage report item 6c3f
  … if only its name is known              llama-triage report item --name 'invoice-*.pdf'
  What does its job record say?            llama-triage report record 6c3f
  Which batches failed most?               llama-triage report batches --since 7d --sort share
  What is in this batch?                   llama-triage report batch bjb-71
  What was skipped, is action needed?      llama-triage report skipped
  Which items of a batch lack a result?    llama-triage report missing --batch bjb-71
  Is it getting better?                    llama-triage report trend --since 7d --by class
  Did retries work?                        llama-triage report retries --by group
  How long does recovery take?             llama-triage report mttr --since 30d
  Which digests were sent?                 llama-triage report digests
  Which deliveries failed?                 llama-triage report deliveries --failed
  Who did what?                            llama-triage report audit --since 7d
  A web page of the week                   llama-triage report --since 7d --format html
  Anything else                            llama-triage report sql \"SELECT kind, count(*) FROM item GROUP BY kind\"

For scripts:
  Fail if anything is open                 llama-triage report --fail-if 'open>0'
  Fail if the data is stale                llama-triage report groups --require-fresh 30m --format json
  Only the ids of open items               llama-triage report items --state open --columns item_id --no-header --format tsv

Exit codes: 0 answered (also when the answer is empty), 1 failed, 2 usage, 3 id not found, 4 ledger missing,
unreadable, older or newer, 5 stale (--require-fresh), 10 --fail-if matched.
JSON is described in docs/report-json.md.";

/// The example commands of the help, without the program's name.
#[cfg(test)]
pub(crate) fn examples() -> Vec<Vec<String>> {
    let commands = QUESTIONS.lines().filter_map(|line| line.split_once("llama-triage ").map(|(_, command)| command));
    commands.map(words).collect()
}

/// Splits as a shell does, as far as the examples need it.
#[cfg(test)]
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words
}
