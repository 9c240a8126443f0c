//! The only HTTP to LlamaCloud.
