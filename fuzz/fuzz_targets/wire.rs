//! Whatever a server sends, every decoder answers with rows, counted unreadable rows or an error, and loses no row.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    for read in llama_triage::internals::llamacloud::pages(body).into_iter().flatten() {
        // What is JSON to everybody has as many rows as everybody counts.
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(body)
            && let Some(items) = value.get("items").and_then(serde_json::Value::as_array)
        {
            assert_eq!(read.rows + read.others + read.unreadable, items.len());
        }
    }
    llama_triage::internals::llamacloud::records(body);
});
