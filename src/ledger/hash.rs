//! Hashes that the ledger keeps: the same on every machine and in every version. SHA-256, cut to 64 bits.

use sha2::{Digest, Sha256};

/// The hash of these parts in this order; where one ends and the next begins counts.
pub(crate) fn hash(parts: &[&[u8]]) -> i64 {
    let mut hasher = Sha256::new();
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        hasher.update(length.to_le_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}
