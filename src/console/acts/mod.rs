//! Actions: a page asks, a POST acts through the function that the command uses, a page says what was done.

pub(crate) mod act;
pub(crate) mod ask;
pub(crate) mod done;
pub(crate) mod kind;
