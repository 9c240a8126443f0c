//! Documents as the believable account has them: names, sizes, and everyday reasons to fail.

use crate::simulator::world::account_texts::{ITEM_ERRORS, NAMES, SKIPS, cause};
use crate::simulator::world::cause::ScriptedCause;
use crate::simulator::world::model::{Directory, Item};
use crate::simulator::world::state::World;

impl World {
    /// New documents in a directory of their own, of which so many in a thousand fail and half as many are skipped.
    pub(crate) fn new_documents(&mut self, project: usize, count: u64, failing: u64) -> Vec<usize> {
        let id = format!("dir-{}", self.random.uuid());
        let directory = self.directories.len();
        let (name, now) = (format!("inbox {directory}"), self.now);
        self.directories.push(Directory::new(id, project, name, now));
        (0..count)
            .map(|_| {
                let cause = self.everyday_cause(failing);
                self.new_document(directory, cause)
            })
            .collect()
    }

    fn everyday_cause(&mut self, failing: u64) -> ScriptedCause {
        let random = &mut self.random;
        let draw = random.between(0, 999);
        if draw < failing {
            let (text, code, _, nature) =
                ITEM_ERRORS[weighted(random.draw(), ITEM_ERRORS.iter().map(|trouble| trouble.2))];
            cause(text, code, nature)
        } else if draw < failing + failing / 2 {
            let (reason, _) = SKIPS[weighted(random.draw(), SKIPS.iter().map(|skip| skip.1))];
            let reason = (!reason.is_empty()).then(|| reason.to_owned());
            ScriptedCause::Skipped { reason, message: None }
        } else {
            ScriptedCause::Succeeds
        }
    }

    fn new_document(&mut self, directory: usize, cause: ScriptedCause) -> usize {
        let number = 1_001 + self.items.len();
        let random = &mut self.random;
        let item = Item {
            id: format!("dfl-{}", random.uuid()),
            name: random.pick(&NAMES).replace("{n}", &number.to_string()),
            project: self.directories[directory].project,
            directory,
            file_id: random.uuid(),
            pages: random.between(1, 24),
            bad_pages: Vec::new(),
            cause,
            attempts: 0,
            first_takes: None,
            results: Vec::new(),
            unwritable: false,
            unlisted: false,
            deleted: false,
        };
        self.add_item(item)
    }
}

/// The position that a draw falls on when each position is as wide as its weight.
fn weighted(draw: u64, weights: impl Iterator<Item = u64> + Clone) -> usize {
    let mut left = draw % weights.clone().sum::<u64>().max(1);
    for (position, weight) in weights.enumerate() {
        if left < weight {
            return position;
        }
        left -= weight;
    }
    0
}
