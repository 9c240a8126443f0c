//! What people write first: retry by count, without looking at why.

use llama_triage::internals::reprocess::PostAnswer;

use super::world::{End, World};

/// A naive strategy: the delays, in minutes, before each attempt at anything that failed.
pub(crate) struct Naive {
    pub(crate) name: &'static str,
    pub(crate) delays: &'static [i64],
}

pub(crate) const ALL: [Naive; 3] = [
    Naive { name: "everything three times", delays: &[5, 5, 5] },
    Naive { name: "everything once", delays: &[5] },
    Naive { name: "exponential back-off", delays: &[15, 30, 60, 120, 240] },
];

/// The official SDK repeats a POST after a time-out or 5xx; so does everything built on it.
const SDK_REPEATS: usize = 5;

pub(crate) fn run(world: &mut World, naive: &Naive) {
    // (when, document, attempt)
    let mut due: std::collections::BTreeMap<i64, Vec<(usize, usize)>> = std::collections::BTreeMap::new();
    for (at, document) in world.documents.iter().enumerate() {
        due.entry((document.failed_at + naive.delays[0]) / 5 * 5 + 5).or_default().push((at, 0));
    }
    while let Some((now, items)) = due.pop_first() {
        if now > world.end() {
            break;
        }
        for chunk in items.chunks(100) {
            let ids: Vec<usize> = chunk.iter().map(|(at, _)| *at).collect();
            let duration = world.duration();
            let made = post(world, now, &ids);
            for (at, attempt) in chunk {
                let mut ended = None;
                for _ in 0..made {
                    let end = world.work(*at, now + duration);
                    ended = Some(if ended == Some(End::Recovered) { End::Recovered } else { end });
                }
                if ended != Some(End::Recovered)
                    && let Some(delay) = naive.delays.get(attempt + 1)
                {
                    due.entry((now + duration + delay) / 5 * 5 + 5).or_default().push((*at, attempt + 1));
                }
            }
        }
    }
}

fn post(world: &mut World, now: i64, ids: &[usize]) -> usize {
    let mut made = 0;
    for _ in 0..=SDK_REPEATS {
        let (batch, answer) = world.post(now, ids);
        made += usize::from(batch.is_some());
        match answer {
            PostAnswer::Accepted { .. } | PostAnswer::Status { status: 400..=407 | 410..=428, .. } => break,
            _ => {}
        }
    }
    made
}
