//! Products of LlamaCloud that the simulated account has nothing of: their lists are empty, no single thing is found,
//! and making one is refused as a plan that lacks the product refuses it.
//!
//! The addresses are those of the official Python SDKs 2.13 and 2.19.

use serde_json::json;

use crate::simulator::http::reply::Reply;

/// A call of such a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnusedProductCall {
    /// The list, as a page with a cursor.
    ListPage,
    /// The list, as a bare array.
    ListArray,
    /// Make one.
    Create,
    /// Anything about one that would exist already.
    OneThing,
    /// The list with a method that it does not take.
    WrongMethod,
}

/// How a product's list looks.
#[derive(Clone, Copy)]
enum ListShape {
    Page,
    Array,
    /// It has no list.
    None,
}

/// The addresses below which the products live.
const COLLECTIONS: &[(&str, ListShape)] = {
    use ListShape as S;
    &[
        ("api/alpha/verify", S::Page),
        ("api/v1/beta/agent-data", S::None),
        ("api/v1/beta/attachments", S::Page),
        ("api/v1/beta/data-sinks", S::Page),
        ("api/v1/beta/extraction-agents", S::Page),
        ("api/v1/beta/retrievers", S::Page),
        ("api/v1/beta/sheets/jobs", S::Page),
        ("api/v1/beta/split/jobs", S::Page),
        ("api/v1/beta/webhook-configs", S::Array),
        ("api/v1/chat", S::Page),
        ("api/v1/data-sinks", S::Array),
        ("api/v1/data-sources", S::Array),
        ("api/v1/files", S::None),
        ("api/v1/indexes", S::Page),
        ("api/v1/pipelines", S::Array),
        ("api/v1/retrieval", S::None),
        ("api/v1/retrievers", S::Array),
        ("api/v1/sheets/jobs", S::Page),
        ("api/v1/split/jobs", S::Page),
        ("api/v2/pipelines", S::Page),
        ("api/v2/webhook-configs", S::Page),
    ]
};

/// Searches: lists that are asked for with POST.
const SEARCHES: [&str; 2] = ["api/v1/beta/agent-data/:aggregate", "api/v1/beta/agent-data/:search"];

/// The call behind a method and a path without its leading slash; none if the path is of no such product.
pub(crate) fn find(method: &str, path: &str) -> Option<UnusedProductCall> {
    if method == "POST" && SEARCHES.contains(&path) {
        return Some(UnusedProductCall::ListPage);
    }
    COLLECTIONS.iter().find_map(|(collection, shape)| match path.strip_prefix(collection)? {
        "" => Some(of_collection(method, *shape)),
        below if below.starts_with('/') => Some(UnusedProductCall::OneThing),
        _ => None,
    })
}

fn of_collection(method: &str, shape: ListShape) -> UnusedProductCall {
    match (method, shape) {
        ("GET", ListShape::Page) => UnusedProductCall::ListPage,
        ("GET", ListShape::Array) => UnusedProductCall::ListArray,
        ("POST" | "PUT", _) => UnusedProductCall::Create,
        _ => UnusedProductCall::WrongMethod,
    }
}

/// Answers it.
pub(crate) fn answer(call: UnusedProductCall) -> Reply {
    match call {
        UnusedProductCall::ListPage => Reply::ok(json!({"items": [], "next_page_token": null, "total_size": 0})),
        UnusedProductCall::ListArray => Reply::ok(json!([])),
        UnusedProductCall::Create => Reply::error(403, "The plan of this account does not include this product"),
        UnusedProductCall::OneThing => Reply::error(404, "No such thing in this project"),
        UnusedProductCall::WrongMethod => Reply::error(405, "Method Not Allowed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_call_is_found_and_similar_addresses_are_not() {
        let found = [
            ("GET", "api/v1/split/jobs", Some(UnusedProductCall::ListPage)),
            ("GET", "api/v1/pipelines", Some(UnusedProductCall::ListArray)),
            ("POST", "api/v1/beta/agent-data/:search", Some(UnusedProductCall::ListPage)),
            ("PUT", "api/v1/retrievers", Some(UnusedProductCall::Create)),
            ("GET", "api/v1/pipelines/p/files2", Some(UnusedProductCall::OneThing)),
            ("DELETE", "api/v1/chat", Some(UnusedProductCall::WrongMethod)),
            ("GET", "api/v1/pipelines2", None),
            ("GET", "api/v1/beta/files", None),
        ];
        for (method, path, call) in found {
            assert_eq!(find(method, path), call, "{method} {path}");
        }
    }
}
