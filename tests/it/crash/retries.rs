//! What must hold of retries: at most one batch for each intent, ever, against what the simulated LlamaCloud knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use llama_triage::internals::model::ulid_of_uuid;
use llama_triage::internals::simulator::{Endpoint, Post, World};

use super::rig::Rig;

/// Promise 5, and what follows from it.
pub(crate) fn hold(rig: &Rig) {
    let world = rig.site.cloud.world();
    let posts: Vec<Post> = posts(&world).cloned().collect();
    no_intent_has_two_batches(&posts);
    no_item_is_retried_beside_its_own_retry(&world, &posts);
    drop(world);
    every_batch_belongs_to_its_intent(rig, &posts);
    let under_way = rig.site.texts("SELECT intent_id FROM intent WHERE state IN ('planned', 'posting', 'unknown')");
    assert_eq!(under_way, Vec::<String>::new(), "nothing is left half done or unclear");
}

/// Items that are being retried: their batch has not ended, or no one knows yet whether there is one.
pub(crate) fn items_under_way(rig: &Rig) -> BTreeSet<String> {
    let claimed = "SELECT i.item_id FROM claim c JOIN item i USING (item_key) JOIN intent n USING (intent_id)
                   WHERE i.state = 'retrying' AND n.state IN ('submitted', 'unknown')";
    rig.site.texts(claimed).into_iter().collect()
}

/// POSTs that made a batch: each was sent for an intent, which rides along as the correlation id.
pub(crate) fn carried_out(world: &World) -> usize {
    posts(world).filter(|post| !post.created.is_empty()).count()
}

fn posts(world: &World) -> impl Iterator<Item = &Post> {
    world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch)
}

fn intent_of(post: &Post) -> String {
    let uuid = post.body["job_config"]["correlation_id"].as_str().expect("every POST names its intent");
    ulid_of_uuid(uuid).expect("as the API wants it")
}

fn no_intent_has_two_batches(posts: &[Post]) {
    let mut sent: BTreeMap<String, Vec<&Post>> = BTreeMap::new();
    posts.iter().for_each(|post| sent.entry(intent_of(post)).or_default().push(post));
    let twice: Vec<_> = sent.iter().filter(|(_, posts)| posts.len() > 1 || posts[0].created.len() > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
}

/// An item is put into a retry only after it has ended in the one before.
fn no_item_is_retried_beside_its_own_retry(world: &World, posts: &[Post]) {
    let mut ended: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
    for post in posts {
        for batch in &post.created {
            let batch = world.batch(batch).expect("it was created");
            for run in &batch.runs {
                let item = world.items()[run.item].id.as_str();
                if let Some(before) = ended.insert(item, run.completed_at) {
                    assert!(before.is_some_and(|at| at <= post.at), "{item} was retried beside its own retry");
                }
            }
        }
    }
}

fn every_batch_belongs_to_its_intent(rig: &Rig, posts: &[Post]) {
    let known = rig.site.texts("SELECT intent_id || ' ' || batch_id FROM intent WHERE batch_id IS NOT NULL");
    for post in posts {
        for batch in &post.created {
            let made = format!("{} bjb-{batch}", intent_of(post));
            assert!(known.contains(&made), "{made} is not in {known:?}");
        }
    }
}
