//! From a message to the tokens that groups are made of.

pub(crate) mod asides;
pub(crate) mod atom;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod lexicon;
pub(crate) mod neighbours;
pub(crate) mod number;
pub(crate) mod scanner;
pub(crate) mod script;
pub(crate) mod spaced_names;
pub(crate) mod span;
pub(crate) mod token;
pub(crate) mod tokenizer;
pub(crate) mod word;
pub(crate) mod word_shape;
