//! The faults that an upstream can make, each with the name under which `docs/development/faults.md` lists it.

use std::io::Write;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use llama_triage::internals::simulator::InjectedFault;

/// One fault: what the document calls it, and what the simulated cloud does.
pub(crate) struct ApiFault {
    pub(crate) name: String,
    pub(crate) fault: InjectedFault,
}

impl ApiFault {
    /// The name of the project that has this fault.
    pub(crate) fn project(&self) -> String {
        let letters = self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        letters.collect()
    }

    /// Whether the project needs a short `request-timeout` to see it.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.fault, InjectedFault::Late(_) | InjectedFault::SlowBody(_))
    }
}

/// Longer than the `request-timeout` of a slow fault's project.
const TOO_LONG: Duration = Duration::from_millis(4_500);

/// Every fault.
pub(crate) fn all() -> Vec<ApiFault> {
    let mut all = Vec::new();
    let mut add = |name: &str, fault: InjectedFault| all.push(ApiFault { name: name.to_owned(), fault });
    for status in [400, 401, 402, 403, 404, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504, 529] {
        add(&status.to_string(), InjectedFault::Status(status));
    }
    let after = |status, wish: &str| InjectedFault::StatusRetryAfter(status, wish.to_owned());
    add("429, Retry-After 1 s", after(429, "1"));
    add("429, Retry-After 1 h", after(429, "3600"));
    add("429, Retry-After nonsense", after(429, "soon"));
    add("503, Retry-After a far date", after(503, "Fri, 31 Dec 2077 23:59:59 GMT"));
    add("503 with a web page", InjectedFault::StatusHtml(503, "<html><h1>Back soon</h1></html>".to_owned()));
    add("connection reset", InjectedFault::Reset);
    add("late answer", InjectedFault::Late(TOO_LONG));
    add("slow body", InjectedFault::SlowBody(TOO_LONG));
    add("half a body", InjectedFault::HalfBody);
    add("empty body", InjectedFault::EmptyBody);
    add("200 with a web page", InjectedFault::Html);
    add("wrong content type", InjectedFault::WrongContentType);
    add("gzip bomb", InjectedFault::Verbatim(vec![("content-encoding", "gzip")], BOMB.clone()));
    add("100 MB page", InjectedFault::Verbatim(Vec::new(), LARGE.clone()));
    add("deep JSON", InjectedFault::DeepJson(100_000));
    add("duplicate keys", InjectedFault::DuplicateKeys);
    add("control characters and NUL", InjectedFault::ControlCharacters);
    add("lone surrogates", InjectedFault::LoneSurrogates);
    add("invalid UTF-8", InjectedFault::InvalidUtf8);
    add("1 MB messages", InjectedFault::LongMessages(1_000_000));
    add("unknown words", InjectedFault::UnknownWords);
    add("unknown fields", InjectedFault::ExtraFields);
    add("optional fields missing", InjectedFault::MissingOptional);
    add("a malformed row", InjectedFault::Malformed(0));
    add("clock a day ahead", InjectedFault::Skewed(86_400));
    add("clock a day behind", InjectedFault::Skewed(-86_400));
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
