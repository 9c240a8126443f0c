//! Small bounded memories of what was answered before. Losing an entry costs time, never changes an answer.

use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Places for each hash remainder; the oldest of them gives way.
const WAYS: usize = 4;

/// A table of fixed size.
#[derive(Debug)]
pub(crate) struct Cache {
    sets: Vec<[(u64, u32); WAYS]>,
    used: bool,
}

const EMPTY: u32 = u32::MAX;

impl Cache {
    /// Room for `size` answers, a power of two.
    pub(crate) fn new(size: usize) -> Self {
        Self { sets: vec![[(0, EMPTY); WAYS]; size / WAYS], used: false }
    }

    pub(crate) fn get(&self, hash: u64) -> Option<u32> {
        let set = &self.sets[hash as usize & (self.sets.len() - 1)];
        set.iter().find(|(key, value)| *key == hash && *value != EMPTY).map(|(_, value)| *value)
    }

    pub(crate) fn put(&mut self, hash: u64, value: u32) {
        let at = hash as usize & (self.sets.len() - 1);
        let set = &mut self.sets[at];
        set.rotate_right(1);
        set[0] = (hash, value);
        self.used = true;
    }

    pub(crate) fn clear(&mut self) {
        if self.used {
            self.sets.fill([(0, EMPTY); WAYS]);
            self.used = false;
        }
    }
}

/// Hash of a text for the exact-text cache.
pub(crate) fn hash_text(seed: u64, text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(seed ^ (text.len() as u64).rotate_left(32));
    hasher.write(text.as_bytes());
    hasher.finish()
}
