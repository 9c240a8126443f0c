//! The questions a report answers, and which filters make sense for each.

/// A question, in the order of the help.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Question {
    /// What is failing now?
    Summary,
    /// Which groups are there?
    Groups,
    /// All about one group.
    Group,
    /// Which groups began to fail together?
    Incidents,
    /// All about one incident.
    Incident,
    /// Which items failed or were skipped?
    Items,
    /// The history of one item.
    Item,
    /// What does LlamaCloud say of an item's job?
    Record,
    /// Which batches ran, and how many of their items failed?
    Batches,
    /// All about one batch.
    Batch,
    /// What was skipped, and why?
    Skipped,
    /// Which items still lack a result?
    Missing,
    /// Is it getting better or worse?
    Trend,
    /// Did retries help?
    Retries,
    /// How long until things recover?
    Mttr,
    /// Which digests were decided?
    Digests,
    /// What was sent, and what was not?
    Deliveries,
    /// Who did what?
    Audit,
    /// Anything else.
    Sql,
}

use Question::*;

/// A filter, by its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterName {
    /// `--since`
    Since,
    /// `--until`
    Until,
    /// `--state`
    State,
    /// `--kind`
    Kind,
    /// `--class`
    Class,
    /// `--project`
    Project,
    /// `--job-type`
    JobType,
    /// `--directory`
    Directory,
    /// `--batch`
    Batch,
    /// `--group`
    Group,
    /// `--item-name`
    ItemName,
    /// `--match`
    Match,
    /// `--by`
    By,
    /// `--bucket`
    Bucket,
    /// `--sort`
    Sort,
    /// `--limit`
    Limit,
    /// `--failed`
    Failed,
}

impl Question {
    /// The word on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the word; LlamaCloud's own word "job" for a batch is understood too.
    pub fn from_word(word: &str) -> Option<Question> {
        match word {
            "jobs" => Some(Batches),
            "job" => Some(Batch),
            _ => word.parse().ok(),
        }
    }

    /// What must follow the word, if anything.
    pub fn subject(self) -> Option<&'static str> {
        match self {
            Group => Some("a group id"),
            Incident => Some("an incident id"),
            Item | Record => Some("an item id"),
            Batch => Some("a batch id"),
            Sql => Some("a SELECT statement"),
            _ => None,
        }
    }

    /// Whether the filter makes sense here.
    pub fn takes(self, filter: FilterName) -> bool {
        filter.questions().contains(&self)
    }

    /// What `--sort` may name; the first is the default. Empty: the order is fixed.
    pub fn sorts(self) -> &'static [&'static str] {
        match self {
            Groups => &["urgency", "open", "new", "count", "last", "first"],
            Items => &["last", "first", "failures", "attempts", "name"],
            Batches => &["newest", "failed", "share", "open"],
            _ => &[],
        }
    }

    /// How the rows are sorted, in words for people, given `--sort` and `--by`; none where there is one row, or the
    /// statement says it.
    pub fn order(self, sort: Option<&str>, by: Option<&str>) -> Option<&'static str> {
        let sort = sort.or(self.sorts().first().copied()).unwrap_or_default();
        Some(match (self, sort) {
            (Groups, "urgency") => "most urgent first",
            (Groups, "open") => "most open items first",
            (Groups, "new") => "most items in the window first",
            (Groups, "count") => "most items first",
            (Groups, "first") => "newest group first",
            (Groups, _) | (Items, "last") => "newest failure first",
            (Items, "first") => "newest first failure first",
            (Items, "failures") => "most failures first",
            (Items, "attempts") => "most retries first",
            (Items, _) => "by name",
            (Batches, "failed") => "most failed items first",
            (Batches, "share") => "largest failed share first",
            (Batches, "open") => "most failures first",
            (Incidents | Batches | Digests | Deliveries | Audit, _) => "newest first",
            (Item, _) => "oldest event first",
            (Skipped, _) => "action needed first, then most items",
            (Missing, _) => "batches first, then newest failure first",
            (Trend, _) if matches!(by, None | Some("none")) => "oldest first",
            (Trend, _) => "most failures first",
            (Retries, _) if matches!(by, None | Some("attempt" | "day")) => "newest first",
            (Retries, _) => "most attempts first",
            (Mttr, _) => "most episodes first",
            (Summary | Group | Incident | Record | Batch | Sql, _) => return None,
        })
    }

    /// What `--by` may name; the first is the default. Empty: no `--by`.
    pub fn bys(self) -> &'static [&'static str] {
        match self {
            Trend => &["none", "group", "class", "kind"],
            Retries => &["attempt", "group", "rule", "class", "trigger", "outcome", "day"],
            Mttr => &["group", "class", "kind"],
            _ => &[],
        }
    }

    /// What `--state` may name. Empty: no `--state`, or any word (batches: the API's own words).
    pub fn states(self) -> &'static [&'static str] {
        match self {
            Groups => &["new", "ongoing", "regressed", "escalating", "resolved"],
            Incidents => &["open", "over"],
            Items | Skipped => &["open", "retrying", "recovered", "dismissed", "ignored"],
            Retries => &[
                "running",
                "recovered",
                "failed_same",
                "failed_differently",
                "already_processed",
                "cancelled",
                "expired",
                "unknown",
            ],
            Deliveries => &["pending", "sending", "sent", "dead", "superseded"],
            _ => &[],
        }
    }
}

impl FilterName {
    /// The flag as typed.
    pub fn flag(self) -> &'static str {
        match self {
            FilterName::Since => "--since",
            FilterName::Until => "--until",
            FilterName::State => "--state",
            FilterName::Kind => "--kind",
            FilterName::Class => "--class",
            FilterName::Project => "--project",
            FilterName::JobType => "--job-type",
            FilterName::Directory => "--directory",
            FilterName::Batch => "--batch",
            FilterName::Group => "--group",
            FilterName::ItemName => "--item-name",
            FilterName::Match => "--match",
            FilterName::By => "--by",
            FilterName::Bucket => "--bucket",
            FilterName::Sort => "--sort",
            FilterName::Limit => "--limit",
            FilterName::Failed => "--failed",
        }
    }

    /// The questions that take it.
    pub fn questions(self) -> &'static [Question] {
        match self {
            FilterName::Since | FilterName::Until => &[
                Summary, Groups, Group, Incidents, Items, Batches, Skipped, Trend, Retries, Mttr, Digests, Deliveries,
                Audit,
            ],
            FilterName::State => &[Groups, Incidents, Items, Batches, Skipped, Retries, Deliveries],
            FilterName::Kind => &[Summary, Groups, Items, Batches, Trend, Retries, Mttr],
            FilterName::Class => &[Summary, Groups, Items, Batches, Skipped, Trend, Retries, Mttr],
            FilterName::Project => &[Summary, Groups, Incidents, Items, Batches, Skipped, Missing, Trend, Retries],
            FilterName::JobType | FilterName::Directory => {
                &[Summary, Groups, Items, Batches, Skipped, Missing, Trend, Retries]
            }
            FilterName::Batch => &[Summary, Groups, Items, Batches, Skipped, Missing, Trend, Retries],
            FilterName::Group => &[Summary, Groups, Items, Batches, Skipped, Trend, Retries, Mttr, Digests, Audit],
            FilterName::ItemName => &[Summary, Groups, Items, Item, Skipped, Trend, Retries],
            FilterName::Match => &[Summary, Groups, Items, Skipped, Trend, Retries, Audit],
            FilterName::By => &[Trend, Retries, Mttr],
            FilterName::Bucket => &[Trend],
            FilterName::Sort => &[Groups, Items, Batches],
            FilterName::Limit => &[
                Groups, Incidents, Items, Item, Batches, Skipped, Missing, Trend, Retries, Mttr, Digests, Deliveries,
                Audit, Sql,
            ],
            FilterName::Failed => &[Deliveries],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray as _;

    #[test]
    fn every_word_reads_back() {
        for question in Question::VARIANTS.iter().copied() {
            assert_eq!(Question::from_word(question.as_str()), Some(question));
        }
        assert_eq!(Question::from_word("jobs"), Some(Batches));
        assert_eq!(Question::from_word("grups"), None);
    }

    #[test]
    fn every_list_says_how_it_is_sorted() {
        for question in [Groups, Items, Batches] {
            let said: Vec<_> = question.sorts().iter().map(|sort| question.order(Some(sort), None)).collect();
            assert!((1..said.len()).all(|at| !said[at..].contains(&said[at - 1])), "{said:?}");
            assert_eq!(question.order(None, None), said[0]);
        }
        for question in Question::VARIANTS.iter().copied() {
            let one = matches!(question, Summary | Group | Incident | Record | Batch | Sql);
            assert_eq!(question.order(None, None).is_none(), one, "{question:?}");
        }
    }

    #[test]
    fn what_can_be_sorted_or_split_takes_the_flag() {
        for question in Question::VARIANTS.iter().copied() {
            assert_eq!(question.takes(FilterName::Sort), !question.sorts().is_empty());
            assert_eq!(question.takes(FilterName::By), !question.bys().is_empty());
            assert!(question.states().is_empty() || question.takes(FilterName::State));
        }
    }
}
