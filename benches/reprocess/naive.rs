//! What people write first: everything three times, whatever it says.

use llama_triage::internals::reprocess::IntentState;

use super::world::{End, World};

/// Minutes before each attempt.
const DELAYS: [i64; 3] = [5, 5, 5];

pub(crate) fn run(world: &mut World) {
    // (document, attempt) by the minute at which it is due.
    let mut due: std::collections::BTreeMap<i64, Vec<(usize, usize)>> = std::collections::BTreeMap::new();
    for (at, document) in world.documents.iter().enumerate() {
        due.entry(document.failed_at + DELAYS[0]).or_default().push((at, 0));
    }
    while let Some((now, items)) = due.pop_first() {
        if now > world.end() {
            break;
        }
        for chunk in items.chunks(100) {
            let ids: Vec<usize> = chunk.iter().map(|(at, _)| *at).collect();
            let duration = world.duration();
            let (state, _) = world.post(now, &ids);
            for (at, attempt) in chunk {
                let ended = (state == IntentState::Submitted).then(|| world.work(*at, now + duration));
                if ended != Some(End::Recovered)
                    && let Some(delay) = DELAYS.get(attempt + 1)
                {
                    due.entry(now + duration + delay).or_default().push((*at, attempt + 1));
                }
            }
        }
    }
}
