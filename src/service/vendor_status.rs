//! Asks the vendor's status page beside a cycle: once a minute at most, and never waited for.

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::ledger::Ledger;
use crate::llamacloud::status_page::{StatusPage, store_status};
use crate::model::vendor::{VendorIncident, VendorStatus};

/// A request under way; dropping it ends it.
pub(crate) struct StatusRequest {
    url: String,
    asking: JoinHandle<Option<Vec<VendorIncident>>>,
}

impl StatusRequest {
    /// Asks a page, if there is one and it may be asked.
    pub(crate) async fn begin(ledger: &Ledger, page: Option<&StatusPage>, now: Timestamp) -> Option<StatusRequest> {
        let page = page?.clone();
        let known = ledger.read(store_status::known).await.ok()?;
        if !VendorStatus::is_due(known.as_ref(), page.url(), now) {
            return None;
        }
        let url = page.url().to_owned();
        let asking = tokio::spawn(async move {
            let answer = page.open_incidents().await;
            answer.inspect_err(|error| tracing::debug!("the status page did not answer: {error}")).ok()
        });
        Some(StatusRequest { url, asking })
    }

    /// Keeps the answer, if it is there; else gives the request back.
    pub(crate) async fn keep_if_answered(
        request: Option<StatusRequest>,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Option<StatusRequest> {
        let mut request = request?;
        if !request.asking.is_finished() {
            return Some(request);
        }
        let open = (&mut request.asking).await.ok().flatten();
        let url = std::mem::take(&mut request.url);
        let keep = move |tx: &crate::ledger::Transaction<'_>| {
            let status = VendorStatus::after(store_status::known(tx)?, &url, open, now);
            store_status::keep(tx, &status)
        };
        if let Err(error) = ledger.write(keep).await {
            tracing::debug!("the answer of the status page was not kept: {error}");
        }
        None
    }
}

impl Drop for StatusRequest {
    fn drop(&mut self) {
        self.asking.abort();
    }
}
