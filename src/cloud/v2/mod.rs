//! API v2 batches: `/api/v2/batches`.

/// The value of `api` that means this API.
pub(super) const NAME: &str = "v2";
