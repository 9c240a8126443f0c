//! Reading lists page by page, to their end.

pub(crate) mod end_of_list;
pub(crate) mod listing;
pub(crate) mod page;
pub(crate) mod page_size;
pub(crate) mod row_reader;
pub(crate) mod sort_check;
