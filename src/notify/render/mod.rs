//! One digest in every form that a channel takes.

pub(crate) mod address_list;
pub(crate) mod bars;
pub(crate) mod html;
pub(crate) mod incident_words;
pub(crate) mod json;
pub(crate) mod links;
pub(crate) mod mail;
pub(crate) mod sample_view;
pub(crate) mod templates;
pub(crate) mod text;
pub(crate) mod times;
pub(crate) mod view;
pub(crate) mod words;
