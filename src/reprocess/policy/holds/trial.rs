//! Who is to blame when POSTs are refused: a document, or what all of them share.
//!
//! A refusal names nobody, so a document is blamed only by comparison: the same request without it was accepted in the same run.

/// So many single documents refused in a row are no accident: the rest is not asked.
const MOST_IN_A_ROW: usize = 3;

/// What the POSTs of one run have shown about one group and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Refused POSTs of more than one document.
    split: u32,
    accepted: bool,
    proven: Vec<String>,
    /// Refused alone since the last acceptance.
    suspects: Vec<String>,
}

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Intents whose only document the API refuses while it accepts others like it.
    pub items: Vec<String>,
    /// The parameters, or the address, are refused: nothing was accepted to compare with, or nothing any more.
    pub parameters: bool,
}

impl Trial {
    /// A POST was accepted, so that the documents refused before it were refused for themselves.
    pub fn accept(&mut self) {
        self.accepted = true;
        self.proven.append(&mut self.suspects);
    }

    /// A POST of several documents was refused and is split.
    pub fn split(&mut self) {
        self.split += 1;
    }

    /// The POST of a single document, in this intent, was refused.
    pub fn suspect(&mut self, intent_id: String) {
        self.suspects.push(intent_id);
    }

    /// Refused POSTs so far.
    pub fn refused(&self) -> u32 {
        self.split + u32::try_from(self.proven.len() + self.suspects.len()).unwrap_or(u32::MAX)
    }

    /// Whether another document may tell if the one that was refused is to blame, or what they share.
    pub fn wants_another(&self) -> bool {
        !self.accepted && !self.suspects.is_empty() && !self.is_hopeless()
    }

    /// Whether asking on is of no use.
    pub fn is_hopeless(&self) -> bool {
        self.suspects.len() >= MOST_IN_A_ROW
    }

    /// The blame. A single suspect at the end is blamed if others were accepted before it: an API that begins to refuse all leaves more of them.
    pub fn blame(self) -> Blame {
        let Trial { accepted, proven: mut items, mut suspects, .. } = self;
        if accepted && suspects.len() == 1 {
            items.append(&mut suspects);
        }
        Blame { items, parameters: !suspects.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: &str) -> (bool, Blame) {
        let mut trial = Trial::default();
        for (number, answer) in answers.chars().enumerate() {
            match answer {
                '+' => trial.accept(),
                _ => trial.suspect(number.to_string()),
            }
        }
        (trial.is_hopeless(), trial.blame())
    }

    #[test]
    fn a_document_is_blamed_only_beside_others_that_were_accepted() {
        let blame =
            |items: &[&str], parameters| Blame { items: items.iter().map(ToString::to_string).collect(), parameters };
        for (answers, hopeless, expected) in [
            ("", false, blame(&[], false)),
            ("-", false, blame(&[], true)),
            ("-+", false, blame(&["0"], false)),
            ("+-", false, blame(&["1"], false)),
            ("-+-", false, blame(&["0", "2"], false)),
            ("+--", false, blame(&[], true)),
            ("-+--", false, blame(&["0"], true)),
            ("---", true, blame(&[], true)),
        ] {
            assert_eq!(after(answers), (hopeless, expected), "{answers}");
        }
    }
}
