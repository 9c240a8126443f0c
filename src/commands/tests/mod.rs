//! Commands in a row, as people give them.

mod acts;
mod pager_alerts;
