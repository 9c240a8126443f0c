//! Which file answers which call.

use serde_json::Value;

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::http::unused_products;
use crate::simulator::storage::{configurations, directories, files, uploads};
use crate::simulator::v1::classifier;
use crate::simulator::v2::{self, acts, classify};

impl SimulatedService<'_> {
    /// Answers a call; errors are answers too.
    pub(crate) fn answer(&mut self, call: &EndpointCall<'_>, body: &Value) -> Reply {
        if let Some(status) = self.options.v1_gone.filter(|_| call.endpoint.is_v1_batch()) {
            return Reply::error(status, "Not Found");
        }
        if let Some(status) = self.options.v2_gone.filter(|_| call.endpoint.is_v2_batch()) {
            return Reply::error(status, "Not Found");
        }
        if self.is_of_the_other_api(call) {
            return Reply::error(404, "No such batch in this project");
        }
        let answer = match call.endpoint {
            endpoint if files::serves(endpoint) => files::answer(self, call),
            endpoint if directories::serves(endpoint) => directories::answer(self, call, body),
            endpoint if uploads::serves(endpoint) => uploads::answer(self, call, body),
            endpoint if configurations::serves(endpoint) => configurations::answer(self, call, body),
            endpoint if classify::serves(endpoint) => classify::answer(self, call, body),
            endpoint if classifier::serves(endpoint) => classifier::answer(self, call, body),
            endpoint if acts::serves(endpoint) => acts::answer(self, call, body),
            endpoint if v2::serves(endpoint) => v2::answer(self, call, body),
            Endpoint::UnusedProduct(call) => Ok(unused_products::answer(call)),
            _ => self.v1(call, body),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// Whether the batch that a call names is one of the other API, by its id, or by how it was made where that counts.
    fn is_of_the_other_api(&self, call: &EndpointCall<'_>) -> bool {
        let (of_v1, of_v2) = (call.endpoint.is_v1_batch(), call.endpoint.is_v2_batch());
        if call.first.is_empty() || call.endpoint == Endpoint::ProcessingResults || !(of_v1 || of_v2) {
            return false;
        }
        let foreign = if of_v1 { "bat-" } else { "bjb-" };
        let hidden = self.world.find_batch(call.first).is_some_and(|index| !self.shows(index, of_v2));
        call.first.starts_with(foreign) || hidden
    }
}
