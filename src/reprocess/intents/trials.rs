//! What refusals of one run mean: whether documents are blamed, the parameters, or the account.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::classify::rules::decide::FailureFacts;
use crate::ledger::error::LedgerError;
use crate::llamacloud::error::CreateError;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::order::Order;
use crate::reprocess::policy::holds::trial::Trial;
use crate::reprocess::store::{breaker, intent};

/// The trials of one run, by group and parameters.
#[derive(Debug, Default)]
pub(crate) struct Trials(BTreeMap<(String, String), Trial>);

impl Trials {
    /// The trial that an order belongs to.
    pub(crate) fn of(&mut self, order: &Order) -> &mut Trial {
        self.0.entry((order.chunk.group_id.clone(), order.chunk.config_hash.clone())).or_default()
    }
}

impl Reprocess<'_> {
    /// Writes what a run's trials came to: documents that are refused are left out from now on, groups whose parameters are refused rest.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn judge(&self, trials: Trials, now: Timestamp) -> Result<(), LedgerError> {
        if trials.0.values().all(|trial| trial.refused() == 0) {
            return Ok(());
        }
        let limits = crate::reprocess::facts::limits(self.config);
        self.ledger
            .write(move |tx| {
                for ((group_id, _), trial) in trials.0 {
                    let blame = trial.blame();
                    blame.items.iter().try_for_each(|intent_id| intent::refuse_item(tx, intent_id))?;
                    let mut state = breaker::group(tx, &group_id)?;
                    if blame.parameters && !state.breaker.blocks(now) {
                        state.breaker = state.breaker.open(now, &limits);
                        breaker::keep_group(tx, &group_id, &state, now)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Whether the API words a refusal of the request as trouble with the account, as when a spending limit is reached.
    pub(crate) fn blames_account(&self, answered: &Result<String, CreateError>) -> bool {
        let said = answered.as_ref().err().map_or("", CreateError::quoted_message);
        !said.is_empty()
            && self.rules.classify(&FailureFacts { message: said, ..FailureFacts::default() }).class == Class::Account
    }
}
