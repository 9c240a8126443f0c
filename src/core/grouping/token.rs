//! Tokens: what one message becomes before it is compared with others.
//!
//! A token is a word that matters, a slot whose content does not, or punctuation. All slots hash alike, so that a
//! page number and a uuid in the same place make the same form; what a slot held is kept beside it as [`Kinds`].

/// What a slot has held, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(pub u32);

impl Kinds {
    pub const NUMBER: Self = Self(1);
    pub const DURATION: Self = Self(1 << 1);
    pub const SIZE: Self = Self(1 << 2);
    pub const TIME: Self = Self(1 << 3);
    pub const ID: Self = Self(1 << 4);
    pub const HEX: Self = Self(1 << 5);
    pub const URL: Self = Self(1 << 6);
    pub const PATH: Self = Self(1 << 7);
    pub const FILE: Self = Self(1 << 8);
    pub const EMAIL: Self = Self(1 << 9);
    pub const HOST: Self = Self(1 << 10);
    pub const QUOTED: Self = Self(1 << 11);
    pub const JSON: Self = Self(1 << 12);
    pub const LIST: Self = Self(1 << 13);
    pub const TEXT: Self = Self(1 << 14);
    pub const FLAG: Self = Self(1 << 15);
    pub const VERSION: Self = Self(1 << 16);
    pub const EMPTY: Self = Self(1 << 17);

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The word between the angle brackets of a template: one kind gives its own name, a mixture gives a wider one.
    pub fn name(self) -> &'static str {
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
pub enum Look {
    /// Lower-case or Capitalised letters.
    Plain = 0,
    /// Upper-case letters only.
    Capitals = 1,
    /// camelCase, snake_case and the like.
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
pub enum Part {
    Word(Look),
    Slot,
    Punct,
}

/// One token over the text it was scanned from.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub part: Part,
    pub kinds: Kinds,
    /// Byte range in the scanned text.
    pub start: u32,
    pub end: u32,
    /// White space stood before it.
    pub space: bool,
    /// Equal hash means equal token.
    pub hash: u64,
}

/// The hash every slot has.
pub const SLOT: u64 = 0x51_07;

impl Token {
    pub fn is_word(&self) -> bool {
        matches!(self.part, Part::Word(_))
    }
    pub fn is_slot(&self) -> bool {
        self.part == Part::Slot
    }
    pub fn is_punct(&self, byte: u8) -> bool {
        self.part == Part::Punct && self.hash == u64::from(byte)
    }
}

/// Hash of a word with every run of digits read as one `0`; the same on every machine.
pub fn hash_word(bytes: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut in_digits = false;
    for &byte in bytes {
        let digit = byte.is_ascii_digit();
        if digit && in_digits {
            continue;
        }
        in_digits = digit;
        hash = (hash ^ u64::from(if digit { b'0' } else { byte })).wrapping_mul(0x0100_0000_01b3);
    }
    finish(hash) | 1 << 63
}

/// Hash of a word whose digits matter.
pub fn hash_code(bytes: &[u8]) -> u64 {
    let hash = bytes
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    finish(hash) | 1 << 63
}

/// Folds one token hash into the hash of a sequence.
pub fn fold(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(23) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Spreads the bits of a folded hash.
pub fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 29)
}
