//! What a run of bytes without white space or quotes looks like: an id, a file name, a host, a number with a unit …
//!
//! Pure functions over bytes, no state. They know structure, not words, apart from well-known file and host endings.

/// Endings that make a dotted name a file name. Sorted, lower case.
const FILE_ENDINGS: &[&str] = &[
    "7z", "avi", "avif", "bak", "bin", "bmp", "bz2", "c", "cfg", "conf", "cpp", "css", "csv", "dat", "db", "dll",
    "doc", "docm", "docx", "dot", "dotx", "eml", "epub", "exe", "gif", "go", "gz", "h", "heic", "htm", "html", "hwp",
    "ini", "jar", "java", "jpeg", "jpg", "js", "json", "jsonl", "key", "lock", "log", "m4a", "md", "mdb", "mjs", "mov",
    "mp3", "mp4", "mpeg", "msg", "numbers", "odp", "ods", "odt", "pages", "parquet", "pdf", "pem", "php", "pickle",
    "pkl", "png", "ppt", "pptm", "pptx", "ps", "py", "rar", "rb", "rs", "rtf", "so", "sql", "sqlite", "svg", "swf",
    "tar", "tex", "tgz", "tif", "tiff", "tmp", "toml", "ts", "tsv", "txt", "wav", "webm", "webp", "wmv", "xls", "xlsb",
    "xlsm", "xlsx", "xml", "xps", "xz", "yaml", "yml", "zip", "zst",
];

/// Last labels of host names. Sorted, lower case.
const HOST_ENDINGS: &[&str] = &[
    "ai",
    "app",
    "at",
    "au",
    "be",
    "biz",
    "br",
    "ca",
    "ch",
    "cloud",
    "cn",
    "co",
    "com",
    "corp",
    "cz",
    "de",
    "dev",
    "dk",
    "edu",
    "es",
    "eu",
    "fi",
    "fr",
    "gov",
    "hk",
    "hu",
    "id",
    "ie",
    "il",
    "in",
    "info",
    "internal",
    "io",
    "it",
    "jp",
    "kr",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "me",
    "mil",
    "mx",
    "net",
    "nl",
    "no",
    "nz",
    "org",
    "pl",
    "pt",
    "ro",
    "ru",
    "se",
    "sg",
    "sh",
    "sk",
    "svc",
    "tech",
    "tr",
    "tv",
    "tw",
    "ua",
    "uk",
    "us",
    "xyz",
    "za",
];

/// Counts of what is in a run of bytes, gathered in one pass by the scanner.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    pub(crate) lower: u32,
    pub(crate) upper: u32,
    pub(crate) digit: u32,
    pub(crate) dot: u32,
    pub(crate) dash: u32,
    pub(crate) under: u32,
    pub(crate) other: u32,
    /// Bytes that could not be a hexadecimal digit or a dash.
    pub(crate) unhex: u32,
    /// Changes between letters and digits and from lower to upper case.
    pub(crate) turns: u32,
}

/// Counts the bytes.
pub(crate) fn census(bytes: &[u8]) -> Census {
    let mut count = Census::default();
    let mut before = 0u8;
    for &byte in bytes {
        let now = match byte {
            b'a'..=b'z' => {
                count.lower += 1;
                count.unhex += u32::from(byte > b'f');
                1
            }
            b'A'..=b'Z' => {
                count.upper += 1;
                count.unhex += u32::from(byte > b'F');
                2
            }
            b'0'..=b'9' => {
                count.digit += 1;
                3
            }
            b'.' => {
                count.dot += 1;
                count.unhex += 1;
                0
            }
            b'-' => {
                count.dash += 1;
                0
            }
            b'_' => {
                count.under += 1;
                count.unhex += 1;
                0
            }
            _ => {
                count.other += 1;
                count.unhex += 1;
                0
            }
        };
        if before != 0 && now != 0 && now != before && !(before == 2 && now == 1) {
            count.turns += 1;
        }
        before = now;
    }
    count
}

fn listed(list: &[&str], ending: &[u8]) -> bool {
    if ending.is_empty() || ending.len() > 11 {
        return false;
    }
    let mut lower = [0u8; 11];
    let lower = &mut lower[..ending.len()];
    lower.copy_from_slice(ending);
    lower.make_ascii_lowercase();
    list.binary_search_by(|entry| entry.as_bytes().cmp(lower)).is_ok()
}

fn last_label(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = bytes.iter().rposition(|&byte| byte == b'.')?;
    Some((&bytes[..dot], &bytes[dot + 1..]))
}

/// `pdf`, also with capitals.
pub(crate) fn is_file_ending(ending: &[u8]) -> bool {
    listed(FILE_ENDINGS, ending)
}

/// `report.pdf`, also with capitals.
pub(crate) fn is_file(bytes: &[u8]) -> bool {
    last_label(bytes).is_some_and(|(stem, ending)| !stem.is_empty() && listed(FILE_ENDINGS, ending))
}

/// `files.example.com`: dotted, and the last label is a well-known one.
pub(crate) fn is_host(bytes: &[u8], count: &Census) -> bool {
    count.under == 0
        && count.other == 0
        && last_label(bytes)
            .is_some_and(|(_, ending)| ending.iter().all(u8::is_ascii_lowercase) && listed(HOST_ENDINGS, ending))
}

/// Four numbers with dots.
pub(crate) fn is_ipv4(bytes: &[u8], count: &Census) -> bool {
    count.dot == 3 && count.digit as usize + 3 == bytes.len() && count.digit >= 4
}

/// A uuid or another run of hexadecimal digits that no word spells: has both letters and digits, or is very long.
pub(crate) fn is_hex(bytes: &[u8], count: &Census) -> bool {
    let bare = if bytes.starts_with(b"0x") || bytes.starts_with(b"0X") {
        return bytes.len() > 2 && bytes[2..].iter().all(u8::is_ascii_hexdigit);
    } else {
        bytes.len() as u32 - count.dash
    };
    count.unhex == 0
        && bare >= 6
        && ((count.digit >= 2 - u32::from(bare == 8)
            && count.lower + count.upper > 0
            && (count.lower == 0 || count.upper == 0))
            || (bare >= 16 && count.digit > 0))
}

/// An id no person chose: `job_HwJREZ7QOeb0A6sm`, `blk_-1608999687919862906`, ULIDs, object keys, long base64.
pub(crate) fn is_random(bytes: &[u8], count: &Census) -> bool {
    let letters = count.lower + count.upper;
    let len = bytes.len() as u32;
    if count.digit >= 6 && count.digit * 2 >= letters || count.digit >= 10 {
        return true;
    }
    let tail = bytes.iter().rposition(|byte| matches!(byte, b'_' | b'-')).map_or(bytes, |cut| &bytes[cut + 1..]);
    let tail_count = if tail.len() == bytes.len() { *count } else { census(tail) };
    if tail.len() >= 8 && tail_count.other == 0 && is_scrambled(tail, &tail_count) {
        return true;
    }
    if count.dash >= 1 && bytes.split(|&byte| byte == b'-').any(|part| part.len() >= 8 && is_hex(part, &census(part))) {
        return true;
    }
    len >= 40 && count.turns >= 8 && count.upper > 0 && count.lower > 0
}

/// Letters and digits mixed as no word mixes them.
fn is_scrambled(bytes: &[u8], count: &Census) -> bool {
    let len = bytes.len() as u32;
    if count.dot > 0 {
        return false;
    }
    if count.digit > 0 {
        return count.turns * 4 >= len && count.turns >= 3
            || count.turns >= 4 && count.digit >= 3
            || unspeakable(bytes, count)
            || len >= 16 && count.turns >= 4 && count.lower > 0 && count.upper > 0 && vowels(bytes) * 4 <= bytes.len();
    }
    unspeakable(bytes, count)
}

fn vowels(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u')).count()
}

/// Letters of both cases in an order no camelCase word has: case changes too often, or vowels are too few.
fn unspeakable(bytes: &[u8], count: &Census) -> bool {
    let len = bytes.len();
    if len < 12 || count.lower == 0 || count.upper == 0 {
        return false;
    }
    let vowels = vowels(bytes);
    let changes = bytes.windows(2).filter(|two| two[0].is_ascii_lowercase() != two[1].is_ascii_lowercase()).count();
    changes * 5 >= len * 2 && vowels * 10 <= len * 3 || len >= 16 && count.turns >= 3 && vowels * 5 < len
}

/// Letters after a number that make it an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Duration,
    Size,
    Other,
}

/// The unit a word names, if any. Long forms are given without a plural `s`.
pub(crate) fn unit(word: &[u8]) -> Option<Unit> {
    let word = match word {
        [stem @ .., b's'] if stem.len() > 2 => stem,
        whole => whole,
    };
    Some(match word {
        b"s" | b"ms" | b"us" | b"ns" | b"sec" | b"second" | b"min" | b"minute" | b"h" | b"hr" | b"hour" | b"day"
        | b"m" | b"d" | b"millisecond" | b"microsecond" | b"nanosecond" | b"milli" | b"msec" | b"usec" | b"week"
        | b"month" | b"year" | b"\xc2\xb5s" => Unit::Duration,
        b"B" | b"b" | b"byte" | b"Byte" | b"KB" | b"kB" | b"kb" | b"MB" | b"mb" | b"Mb" | b"GB" | b"gb" | b"TB"
        | b"KiB" | b"MiB" | b"GiB" | b"TiB" | b"k" | b"K" | b"M" | b"G" | b"bit" | b"kib" | b"mib" => Unit::Size,
        b"px" | b"dpi" | b"pt" | b"Hz" | b"MHz" | b"GHz" | b"kHz" | b"kbps" | b"Mbps" | b"KB/s" | b"MB/s" | b"x"
        | b"fps" | b"percent" | b"pct" | b"mm" | b"cm" | b"kbit" => Unit::Other,
        _ => return None,
    })
}

/// `E101`, `ORA-00942`, `PARSE-4012`: capitals, perhaps a dash, then digits.
pub(crate) fn is_code_shape(bytes: &[u8], count: &Census) -> bool {
    let head = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = &bytes[head..];
    let rest = rest.strip_prefix(b"-").or(rest.strip_prefix(b"_")).unwrap_or(rest);
    (1..=12).contains(&head)
        && rest.len() >= 2
        && rest.len() <= 6
        && count.digit as usize == rest.len()
        && (head >= 2 || rest.len() >= 3)
}

/// `ERR_FONT_17`, `FILE_TOO_LARGE`, `_MSG_TIMED_OUT`: a constant of some program.
pub(crate) fn is_constant(bytes: &[u8], count: &Census) -> bool {
    let mut parts = bytes.split(|&byte| byte == b'_').filter(|part| !part.is_empty());
    count.lower + count.dot + count.dash + count.other == 0
        && count.under > 0
        && count.upper >= 3
        && parts.next().is_some_and(|first| first[0].is_ascii_uppercase())
        && parts.all(|part| !part.iter().all(u8::is_ascii_digit) || part.len() <= 5)
}

/// `Exception`, `Error` and names that end so.
pub(crate) fn is_exception_word(bytes: &[u8]) -> bool {
    matches!(bytes, b"Exception" | b"Error") || is_exception(bytes)
}

/// `NullPointerException`, `ValueError`, `urllib3.exceptions.MaxRetryError`.
pub(crate) fn is_exception(bytes: &[u8]) -> bool {
    let name = last_label(bytes).map_or(bytes, |(_, last)| last);
    let name = name.rsplit(|&byte| byte == b'$').next().unwrap_or(name);
    [&b"Error"[..], b"Exception", b"Warning", b"Fault", b"Interrupt", b"Timeout"]
        .iter()
        .any(|ending| name.ends_with(ending) && name.len() > ending.len() && name[0].is_ascii_uppercase())
}
