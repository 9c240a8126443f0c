//! Small bounded memories of what was answered before. Losing an entry costs time, never changes an answer.

use rustc_hash::FxHasher;
use std::hash::Hasher;

/// A table with one place per hash remainder; the newest wins.
#[derive(Debug)]
pub struct Cache {
    slots: Vec<(u64, u32)>,
    used: bool,
}

const EMPTY: u32 = u32::MAX;

impl Cache {
    /// `size` must be a power of two.
    pub fn new(size: usize) -> Self {
        Self { slots: vec![(0, EMPTY); size], used: false }
    }

    pub fn get(&self, hash: u64) -> Option<u32> {
        let (key, value) = self.slots[hash as usize & (self.slots.len() - 1)];
        (key == hash && value != EMPTY).then_some(value)
    }

    pub fn put(&mut self, hash: u64, value: u32) {
        let at = hash as usize & (self.slots.len() - 1);
        self.slots[at] = (hash, value);
        self.used = true;
    }

    pub fn clear(&mut self) {
        if self.used {
            self.slots.fill((0, EMPTY));
            self.used = false;
        }
    }
}

/// Hash of a text for the exact-text cache.
pub fn hash_text(seed: u64, text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(seed ^ (text.len() as u64).rotate_left(32));
    hasher.write(text.as_bytes());
    hasher.finish()
}
