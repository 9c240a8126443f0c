//! The learnt part of the classifier: which words a message has, and what they weigh for each class.
//!
//! [`words`] reads a message as grouping masks it, [`weights`] multiplies. The weights are learnt from `config/wordings/` by
//! `cargo run --release --example train_classifier`.

pub(crate) mod weights;
pub(crate) mod wordings;
pub(crate) mod words;
