//! What must hold for every input: determinism, going on after a restore, never splitting, bounds.

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::state::StoredGroup;
use crate::grouping::tests::failed;
use crate::model::item::Kind;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Messages that share words, so that groups widen and merge.
fn message() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "page", "failed", "tenant", "orchid", "bramble", "tundra", "lagoon", "while", "reading", "<<", "E4101:",
        "HTTP", "429", "503", "v1.2", "worker-3",
    ]);
    let piece = prop_oneof![
        6 => word.prop_map(str::to_owned),
        1 => "[0-9]{1,6}",
        1 => "'[a-z ]{0,9}'",
        1 => "[a-z]{2,5}=[a-z0-9]{0,4}",
        1 => "\\PC{0,6}",
    ];
    prop::collection::vec(piece, 1..7).prop_map(|pieces| pieces.join(" "))
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(message(), 1..60)
}

/// What an observer sees: each message's final id, template and title.
fn seen(grouper: &mut Grouper, messages: &[String]) -> Vec<(String, String, String)> {
    let handles: Vec<_> = messages.iter().map(|message| grouper.assign(&failed(message))).collect();
    handles
        .into_iter()
        .map(|handle| (grouper.id(handle).to_string(), grouper.template(handle), grouper.title(handle)))
        .collect()
}

/// The ledger: the latest row of each group.
fn keep(ledger: &mut BTreeMap<String, StoredGroup>, changes: Vec<StoredGroup>) {
    ledger.extend(changes.into_iter().map(|group| (group.id.to_string(), group)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_order_gives_the_same_groups(messages in messages()) {
        prop_assert_eq!(seen(&mut Grouper::new(), &messages), seen(&mut Grouper::new(), &messages));
    }

    #[test]
    fn restoring_changes_nothing_that_follows(before in messages(), after in messages()) {
        let mut unbroken = Grouper::new();
        let mut ledger = BTreeMap::new();
        for part in before.chunks(7) {
            seen(&mut unbroken, part);
            // A person merges in between, now and then a young group survives.
            let (one, other) = (unbroken.assign(&failed(&part[0])), unbroken.assign(&failed(&part[part.len() - 1])));
            if part.len() % 2 == 1 {
                unbroken.merge(one, other);
            }
            keep(&mut ledger, unbroken.take_changes());
        }
        let mut restored = Grouper::restore(ledger.into_values()).expect("what was stored can be read");
        prop_assert!(restored.take_changes().is_empty());
        prop_assert_eq!(seen(&mut unbroken, &after), seen(&mut restored, &after));
        prop_assert_eq!(seen(&mut unbroken, &before), seen(&mut restored, &before));
    }

    #[test]
    fn what_was_together_stays_together(messages in messages(), more in messages()) {
        let mut grouper = Grouper::new();
        let handles: Vec<_> = messages.iter().map(|message| grouper.assign(&failed(message))).collect();
        let before: Vec<_> = handles.iter().map(|&handle| grouper.resolve(handle)).collect();
        for message in &more {
            grouper.assign(&failed(message));
        }
        for (i, &one) in handles.iter().enumerate() {
            for (j, &other) in handles.iter().enumerate() {
                prop_assert!(before[i] != before[j] || grouper.resolve(one) == grouper.resolve(other));
            }
            // Seen again, the message is where it was.
            let again = grouper.assign(&failed(&messages[i]));
            prop_assert_eq!(grouper.resolve(again), grouper.resolve(one));
        }
    }

    #[test]
    fn the_order_of_messages_does_not_matter(messages in messages(), seed in any::<u64>()) {
        let mut shuffled: Vec<usize> = (0..messages.len()).collect();
        shuffled.sort_by_key(|&at| (at as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let partition = |order: &[usize]| {
            let mut grouper = Grouper::new();
            let mut handles = vec![None; messages.len()];
            for &at in order {
                handles[at] = Some(grouper.assign(&failed(&messages[at])));
            }
            let resolved: Vec<_> = handles.into_iter().flatten().map(|handle| grouper.resolve(handle)).collect();
            resolved.iter().map(|group| resolved.iter().position(|other| other == group)).collect::<Vec<_>>()
        };
        let straight: Vec<usize> = (0..messages.len()).collect();
        prop_assert_eq!(partition(&straight), partition(&shuffled));
    }

    #[test]
    fn no_text_breaks_it(message in "\\PC{0,200}", broken in "[\\[\\](){}<>'\"=:,./a1 \n-]{0,80}") {
        let mut grouper = Grouper::new();
        for text in [&message, &broken] {
            let handle = grouper.assign(&failed(text));
            prop_assert!(!grouper.template(handle).is_empty());
            grouper.explain(&failed(text));
        }
    }
}

#[test]
fn a_megabyte_is_cut_visibly() {
    let long = format!("Cannot read {}", "word and another ".repeat(70_000));
    let mut grouper = Grouper::new();
    let handle = grouper.assign(&failed(&long));
    assert!(grouper.template(handle).ends_with('…'));
    assert!(grouper.take_changes()[0].state.len() < 16 * 1024);
}

#[test]
fn beyond_the_bound_messages_share_one_visible_group_per_kind() {
    let mut grouper = Grouper::new();
    let text = |n: u32| {
        let word = |salt: u32| {
            (0..7)
                .map(|at| char::from(b'b' + (n.wrapping_mul(2_654_435_761).wrapping_add(salt) >> (at * 4)) as u8 % 16))
                .collect::<String>()
        };
        format!("{} {} {}", word(1), word(77_777), word(3_333_333))
    };
    let mut last = Vec::new();
    for n in 0..20_000 {
        last.push(grouper.assign(&failed(&text(n))));
    }
    let template = grouper.template(last[19_999]);
    assert_eq!(template, "(other messages)");
    assert!(grouper.survivors().count() <= 8_200);
    let skipped = grouper.assign(&Subject {
        kind: Kind::Skipped,
        job_type: "",
        skip_reason: None,
        message: Some("brand new text here"),
        item_name: None,
    });
    assert_ne!(grouper.id(skipped), grouper.id(last[19_999]));
}
