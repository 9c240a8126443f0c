//! Which items go first: the canary, then a spread over directories and sizes.

use std::collections::BTreeMap;

use crate::reprocess::policy::facts::ItemFacts;

/// The canary: one that was not refused alone before, and of those the newest failure, because it says most about how things are now; the id breaks ties.
pub(crate) fn canary<'a>(items: &[&'a ItemFacts]) -> Option<&'a ItemFacts> {
    items.iter().copied().max_by(|a, b| {
        b.refusals.cmp(&a.refusals).then(a.failed_at.cmp(&b.failed_at)).then_with(|| b.item_id.cmp(&a.item_id))
    })
}

/// `count` items spread over directories and sizes: each directory and size class gives one in turn, oldest failures first.
///
/// Oldest first, because sources are kept for a limited time only.
pub(crate) fn spread<'a>(items: &[&'a ItemFacts], count: usize) -> Vec<&'a ItemFacts> {
    let mut buckets: BTreeMap<(&str, u32), Vec<&'a ItemFacts>> = BTreeMap::new();
    for item in items.iter().copied() {
        buckets.entry((item.directory.as_str(), size_class(item))).or_default().push(item);
    }
    for bucket in buckets.values_mut() {
        // Taken from the end.
        bucket.sort_by(|a, b| b.failed_at.cmp(&a.failed_at).then_with(|| b.item_id.cmp(&a.item_id)));
    }
    let mut chosen = Vec::with_capacity(count.min(items.len()));
    while chosen.len() < count {
        let before = chosen.len();
        for bucket in buckets.values_mut() {
            if chosen.len() < count {
                chosen.extend(bucket.pop());
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    chosen
}

/// Sizes a factor of ten apart are of one class; an unknown size is a class of its own.
fn size_class(item: &ItemFacts) -> u32 {
    item.size.map_or(0, |size| 1 + size.max(1).ilog10())
}
