//! The faults that an upstream can make, each with the name under which `docs/development/faults.md` lists it.

use std::io::Write;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use llama_triage::internals::simulator::Fault;

/// One fault: what the document calls it, and what the simulated cloud does.
pub(crate) struct Trouble {
    pub(crate) name: String,
    pub(crate) fault: Fault,
}

impl Trouble {
    /// The name of the project that has this fault.
    pub(crate) fn project(&self) -> String {
        let letters = self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        letters.collect()
    }

    /// Whether the project needs a short `request-timeout` to see it.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.fault, Fault::Late(_) | Fault::SlowBody(_))
    }
}

/// Longer than the `request-timeout` of a slow fault's project.
const TOO_LONG: Duration = Duration::from_millis(4_500);

/// Every fault.
pub(crate) fn all() -> Vec<Trouble> {
    let mut all = Vec::new();
    let mut add = |name: &str, fault: Fault| all.push(Trouble { name: name.to_owned(), fault });
    for status in [400, 401, 402, 403, 404, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504, 529] {
        add(&status.to_string(), Fault::Status(status));
    }
    let after = |status, wish: &str| Fault::StatusRetryAfter(status, wish.to_owned());
    add("429, Retry-After 1 s", after(429, "1"));
    add("429, Retry-After 1 h", after(429, "3600"));
    add("429, Retry-After nonsense", after(429, "soon"));
    add("503, Retry-After a far date", after(503, "Fri, 31 Dec 2077 23:59:59 GMT"));
    add("503 with a web page", Fault::StatusHtml(503, "<html><h1>Back soon</h1></html>".to_owned()));
    add("connection reset", Fault::Reset);
    add("late answer", Fault::Late(TOO_LONG));
    add("slow body", Fault::SlowBody(TOO_LONG));
    add("half a body", Fault::HalfBody);
    add("empty body", Fault::EmptyBody);
    add("200 with a web page", Fault::Html);
    add("wrong content type", Fault::WrongContentType);
    add("gzip bomb", Fault::Verbatim(vec![("content-encoding", "gzip")], BOMB.clone()));
    add("100 MB page", Fault::Verbatim(Vec::new(), LARGE.clone()));
    add("deep JSON", Fault::DeepJson(100_000));
    add("duplicate keys", Fault::DuplicateKeys);
    add("control characters and NUL", Fault::ControlCharacters);
    add("lone surrogates", Fault::LoneSurrogates);
    add("invalid UTF-8", Fault::InvalidUtf8);
    add("1 MB messages", Fault::LongMessages(1_000_000));
    add("unknown words", Fault::UnknownWords);
    add("unknown fields", Fault::ExtraFields);
    add("optional fields missing", Fault::MissingOptional);
    add("a malformed row", Fault::Malformed(0));
    add("clock a day ahead", Fault::Skewed(86_400));
    add("clock a day behind", Fault::Skewed(-86_400));
    all
}

/// A page that is right as far as anyone reads it.
static LARGE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut page = br#"{"items":[],"next_page_token":null,"x":""#.to_vec();
    page.resize(100_000_000, b'x');
    page.extend(br#""}"#);
    page.into()
});

/// 256 MB of blanks in a quarter of one.
static BOMB: LazyLock<Bytes> = LazyLock::new(|| {
    const BLOCK: usize = 1 << 20;
    let mut packer = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(BLOCK);
    packer.compress_vec(&vec![b' '; BLOCK], &mut packed, FlushCompress::Full).unwrap();
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for _ in 0..256 {
        // A fully flushed block stands for itself, so that one is enough for all.
        bomb.write_all(&packed).unwrap();
    }
    bomb.into()
});
