//! Tokens: what one message becomes before it is compared with others.
//!
//! A token is a word that matters, a slot whose content does not, or punctuation. All slots hash alike, so that a
//! page number and a uuid in the same place make the same form; what a slot held is kept beside it as [`Kinds`].

/// Stands for the item's name in a text; read as a file name.
pub(crate) const MARK: char = '\u{fffc}';

/// What a slot has held, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(pub(crate) u32);

impl Kinds {
    pub(crate) const NUMBER: Self = Self(1);
    pub(crate) const DURATION: Self = Self(1 << 1);
    pub(crate) const SIZE: Self = Self(1 << 2);
    pub(crate) const TIME: Self = Self(1 << 3);
    pub(crate) const ID: Self = Self(1 << 4);
    pub(crate) const HEX: Self = Self(1 << 5);
    pub(crate) const URL: Self = Self(1 << 6);
    pub(crate) const PATH: Self = Self(1 << 7);
    pub(crate) const FILE: Self = Self(1 << 8);
    pub(crate) const EMAIL: Self = Self(1 << 9);
    pub(crate) const HOST: Self = Self(1 << 10);
    pub(crate) const QUOTED: Self = Self(1 << 11);
    pub(crate) const JSON: Self = Self(1 << 12);
    pub(crate) const LIST: Self = Self(1 << 13);
    pub(crate) const TEXT: Self = Self(1 << 14);
    pub(crate) const FLAG: Self = Self(1 << 15);
    pub(crate) const VERSION: Self = Self(1 << 16);
    pub(crate) const EMPTY: Self = Self(1 << 17);

    /// Both sets together.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are here.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The word between the angle brackets of a template: one kind gives its own name, a mixture gives a wider one.
    pub(crate) fn name(self) -> &'static str {
        let set = Self(self.0 & !(Self::EMPTY.0 | Self::LIST.0));
        const NAMES: [(Kinds, &str); 16] = [
            (Kinds::NUMBER, "n"),
            (Kinds::DURATION, "duration"),
            (Kinds::SIZE, "size"),
            (Kinds::TIME, "time"),
            (Kinds::ID, "id"),
            (Kinds::HEX, "hex"),
            (Kinds::URL, "url"),
            (Kinds::PATH, "path"),
            (Kinds::FILE, "file"),
            (Kinds::EMAIL, "email"),
            (Kinds::HOST, "host"),
            (Kinds::QUOTED, "quoted"),
            (Kinds::JSON, "json"),
            (Kinds::TEXT, "text"),
            (Kinds::FLAG, "flag"),
            (Kinds::VERSION, "version"),
        ];
        if let Some((_, name)) = NAMES.iter().find(|(kind, _)| *kind == set) {
            return name;
        }
        let within = |wide: &[Self]| set.0 != 0 && set.0 & !wide.iter().fold(0, |all, kind| all | kind.0) == 0;
        match () {
            () if set.0 == 0 && self.has(Self::LIST) => "list",
            () if set.0 == 0 => "empty",
            () if within(&[Self::NUMBER, Self::SIZE]) && self.has(Self::SIZE) => "size",
            () if within(&[Self::NUMBER, Self::DURATION, Self::TIME]) => "time",
            () if within(&[Self::NUMBER, Self::VERSION]) => "version",
            () if within(&[Self::NUMBER, Self::ID, Self::HEX]) => "id",
            () if within(&[Self::QUOTED, Self::FILE]) => "file",
            () if within(&[Self::PATH, Self::FILE]) => "path",
            () if within(&[Self::HOST, Self::NUMBER]) => "host",
            () if within(&[Self::URL, Self::PATH, Self::FILE, Self::HOST]) => "url",
            () => "text",
        }
    }
}

/// What a word looks like; decides how readily it may turn out to be a variable part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum WordShape {
    /// Lower-case or Capitalised letters.
    Plain = 0,
    /// Upper-case letters only.
    Capitals = 1,
    /// Several words written as one, with capitals or underscores inside.
    Compound = 2,
    /// Digits inside, or dots between: host names, package names, numbered things.
    Ident = 3,
    /// An error code, an HTTP status, an exception name: always kept.
    Code = 4,
    /// One Han character or a run of another script without spaces.
    Dense = 5,
    /// A number that is a status or code.
    Status = 6,
}

/// What kind of token this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word(WordShape),
    Slot,
    Punct,
}

/// One token over the text it was scanned from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) part: TokenKind,
    pub(crate) kinds: Kinds,
    /// Byte range in the scanned text.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// White space stood before it.
    pub(crate) space: bool,
    /// Equal hash means equal token.
    pub(crate) hash: u64,
}

/// The hash every slot has.
pub(crate) const SLOT: u64 = 0x51_07;

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        matches!(self.part, TokenKind::Word(_))
    }
    pub(crate) fn is_slot(&self) -> bool {
        self.part == TokenKind::Slot
    }
    pub(crate) fn is_punct(&self, byte: u8) -> bool {
        self.part == TokenKind::Punct && self.hash == u64::from(byte)
    }
}

/// Hash of a word with every run of digits read as one `0`; the same on every machine.
pub(crate) fn hash_word(bytes: &[u8]) -> u64 {
    if !bytes.iter().any(u8::is_ascii_digit) {
        return hash_code(bytes);
    }
    let mut masked = [0u8; 128];
    let mut len = 0;
    let mut hash = 0;
    let mut in_digits = false;
    for &byte in bytes {
        let digit = byte.is_ascii_digit();
        if !(digit && in_digits) {
            masked[len] = if digit { b'0' } else { byte };
            len += 1;
        }
        in_digits = digit;
        if len == masked.len() {
            hash = fold(hash, hash_code(&masked));
            len = 0;
        }
    }
    fold(hash, hash_code(&masked[..len])) | 1 << 63
}

/// Hash of a word whose digits matter.
pub(crate) fn hash_code(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut hash = chunks.iter().fold(bytes.len() as u64, |hash, chunk| fold(hash, u64::from_le_bytes(*chunk)));
    let mut last = [0u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = fold(hash, u64::from_le_bytes(last));
    finish(hash) | 1 << 63
}

/// Folds one token hash into the hash of a sequence.
pub(crate) fn fold(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(23) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Spreads the bits of a folded hash.
pub(crate) fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 29)
}
