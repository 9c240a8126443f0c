//! What refusals of one run mean: whether documents are blamed, the parameters, or the account.

use std::collections::BTreeMap;

use crate::classify::rules::decide::FailureFacts;
use crate::ledger::error::LedgerError;
use crate::llamacloud::error::CreateError;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::order::Order;
use crate::reprocess::protocol::post::{Blame, Refusals};
use crate::reprocess::store::intent;

/// The refusals of one run, by group and parameters.
#[derive(Debug, Default)]
pub(crate) struct Trials(BTreeMap<(String, String), Refusals>);

impl Trials {
    /// Those that an order belongs to.
    pub(crate) fn of(&mut self, order: &Order) -> &mut Refusals {
        self.0.entry((order.intent.group_id.clone(), order.intent.parameters_hash.clone())).or_default()
    }
}

impl Reprocess<'_> {
    /// Records what is to blame for the refusals of a run: documents are left out for a while, a group whose parameters are refused rests
    /// as after a lost probe.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn blame(&self, trials: Trials) -> Result<(), LedgerError> {
        let blames: Vec<Blame> =
            trials.0.into_values().map(Refusals::blame).filter(|blame| *blame != Blame::default()).collect();
        if blames.is_empty() {
            return Ok(());
        }
        self.ledger
            .write(move |tx| {
                for blame in blames {
                    blame.items.iter().try_for_each(|intent_id| intent::refuse_item(tx, intent_id))?;
                    blame.parameters.iter().try_for_each(|intent_id| intent::blame_parameters(tx, intent_id))?;
                }
                Ok(())
            })
            .await
    }

    /// Whether the API words a refusal of the request as a problem of the account, as when a spending limit is reached.
    pub(crate) fn blames_account(&self, answered: &Result<String, CreateError>) -> bool {
        let said = answered.as_ref().err().map_or("", CreateError::quoted_message);
        !said.is_empty()
            && self.rules.classify(&FailureFacts { message: said, ..FailureFacts::default() }).class == Class::Account
    }
}
