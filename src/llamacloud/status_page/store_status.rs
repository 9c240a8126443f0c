//! The last answer of the vendor's status page, which every process of a ledger shares.

use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};
use crate::model::vendor::VendorStatus;

/// The name that it is remembered under.
const NAME: &str = "vendor_status";

/// What is known of the status page; none if none was asked, or it was written by a version that this one cannot read.
pub(crate) fn known(connection: &Connection) -> Result<Option<VendorStatus>, LedgerError> {
    Ok(meta(connection, NAME)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Remembers what is known of the status page.
pub(crate) fn keep(tx: &Transaction<'_>, status: &VendorStatus) -> Result<(), LedgerError> {
    set_meta(tx, NAME, &serde_json::json!(status).to_string())
}
