//! A LlamaCloud of finished batches that answers from memory: every page is rendered before the first request.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

const PAGE: usize = 1_000;

/// An account of finished batches: how many items they hold, and how their times and messages lie.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// The word for it on the command line.
    pub(crate) name: &'static str,
    pub(crate) batches: usize,
    failed: usize,
    skipped: usize,
    /// Items that ended well, which only a search for recoveries lists.
    completed: usize,
    /// Minutes between two batches.
    minutes_apart: i64,
    /// All items ended within one minute, after every batch was made.
    is_outage: bool,
    /// All items of a kind say the same.
    is_one_group: bool,
}

const FRIENDLY: Shape = Shape {
    name: "friendly",
    batches: 40,
    failed: 4_000,
    skipped: 1_000,
    completed: 0,
    minutes_apart: 30,
    is_outage: false,
    is_one_group: false,
};

/// The shapes that are measured, at their least size.
pub(crate) const SHAPES: [Shape; 5] = [
    FRIENDLY,
    Shape { name: "outage", completed: 1_000, minutes_apart: 12 * 60, is_outage: true, ..FRIENDLY },
    Shape { name: "mixed", completed: 1_000, ..FRIENDLY },
    Shape { name: "one-group", is_one_group: true, ..FRIENDLY },
    Shape { name: "small", batches: 10_000, failed: 5, skipped: 0, completed: 5, minutes_apart: 3, ..FRIENDLY },
];

impl Shape {
    /// The shape of this name with so many batches.
    pub(crate) fn parse(name: &str, batches: &str) -> Shape {
        let shape = SHAPES.into_iter().find(|shape| shape.name == name).expect("a shape");
        shape.of(batches.parse().expect("a number of batches"))
    }

    /// The same with so many batches.
    pub(crate) fn of(self, batches: usize) -> Shape {
        Shape { batches, ..self }
    }

    /// The items that a scan lists of a batch.
    pub(crate) fn listed(&self) -> usize {
        self.failed + self.skipped
    }
}

/// A failed or skipped item, or one that completed.
pub(crate) struct Item {
    pub(crate) item_id: String,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) skip_reason: Option<&'static str>,
    pub(crate) job_id: String,
    pub(crate) record_id: String,
    pub(crate) completed_at: String,
}

/// How long a batch is worked on, in seconds.
const BATCH_SECONDS: u64 = 7_200;

const NEWEST: Timestamp = Timestamp::constant(1_795_435_200, 0);

impl Shape {
    /// When a batch was created, the newest first.
    fn created_at(&self, batch: usize) -> Timestamp {
        NEWEST - SignedDuration::from_mins(self.minutes_apart * i64::try_from(batch).expect("a batch number"))
    }

    fn ended_at(&self, batch: usize) -> Timestamp {
        let made_at = if self.is_outage { NEWEST } else { self.created_at(batch) };
        made_at + SignedDuration::from_secs(BATCH_SECONDS as i64)
    }

    /// The item at a position of a batch; the same on every call. Ids are random, two of three texts are unique.
    pub(crate) fn item(&self, batch: usize, position: usize) -> Item {
        let number = batch * (self.listed() + self.completed) + position;
        let mut random = Random((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let failed = position < self.failed;
        let is_listed = position < self.listed();
        let seconds_left = random.next() % if self.is_outage { 60 } else { BATCH_SECONDS };
        let completed_at = self.ended_at(batch) - SignedDuration::from_secs(seconds_left as i64);
        let message_of = if self.is_one_group { 1 } else { position };
        Item {
            item_id: format!("dfl-{}", random.uuid()),
            name: format!("invoice {} of {}.pdf", position, batch),
            status: ["completed", "skipped", "failed"][usize::from(is_listed) + usize::from(failed)],
            message: failed.then(|| message(message_of, &mut random)),
            skip_reason: (is_listed && !failed).then_some(
                ["already_processed", "size_limit_exceeded"][if self.is_one_group { 1 } else { position % 2 }],
            ),
            job_id: format!("pjb-{}", random.uuid()),
            record_id: random.uuid(),
            completed_at: completed_at.to_string(),
        }
    }
}

fn message(position: usize, random: &mut Random) -> String {
    let number = random.next() % 1_000_000;
    match position % 12 {
        0 => "Failed to parse the file".to_owned(),
        1 => "Request timed out while waiting for the worker".to_owned(),
        2 => format!("Rate limit exceeded, retry after {} ms (request {})", number, random.uuid()),
        3 => format!("Could not open document: xref table damaged at byte {number}, checksum {:016x}", random.next()),
        4 => format!("Upstream answered 503 Service Unavailable for /v1/layout/{} after {number} ms", random.uuid()),
        5 => "PDF_IS_PROTECTED: the document needs a password".to_owned(),
        6 => format!("Worker ip-10-{}-{}-7 lost while rendering page {}", number % 256, number % 97, number % 400),
        7 => format!("Page {} of {} could not be reconstructed", number % 300, 300 + number % 50),
        8 => "Something went wrong while extracting the markdown.".to_owned(),
        9 => format!("Object s3://incoming/{}/{}.pdf is empty", number, random.uuid()),
        10 => format!("Job {} expired after {} s in the queue", random.uuid(), number % 4_000),
        _ => format!("Unsupported file type 'type-{number}' for \"scan {}.bin\"", number % 5_000),
    }
}

/// Serves an account of this shape until killed; prints its address first.
pub(crate) fn serve(shape: Shape) {
    let pages: Vec<[Vec<String>; 2]> = (0..shape.batches).map(|batch| render(&shape, batch)).collect();
    let account = Arc::new(Account { shape, pages, touched: AtomicU64::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("http://{}", listener.local_addr().expect("an address"));
    for stream in listener.incoming() {
        let account = Arc::clone(&account);
        std::thread::spawn(move || account.answer(&stream.expect("a connection")));
    }
}

struct Account {
    shape: Shape,
    /// The pages of failed, and of skipped items of each batch.
    pages: Vec<[Vec<String>; 2]>,
    touched: AtomicU64,
}

impl Account {
    fn answer(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut lines = BufReader::new(stream).lines();
        while let Some(Ok(request)) = lines.next() {
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = self.body(&target);
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            let mut stream = stream;
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
                return;
            }
        }
    }

    fn body(&self, target: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let offset: usize = value("offset").and_then(|n| n.parse().ok()).unwrap_or(0);
        if path == "/touch" {
            self.touched.fetch_add(1, Ordering::Relaxed);
            return "{}".to_owned();
        }
        let Some(batch) = path.strip_suffix("/items") else {
            return self.batches(offset);
        };
        let batch: usize = batch.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a batch id of ours");
        let Some(status) = value("status") else {
            let all = self.shape.listed() + self.shape.completed;
            return page(&self.shape, batch, offset..all.min(offset + PAGE));
        };
        let page = self.pages[batch][usize::from(status == "skipped")].get(offset / PAGE);
        page.cloned().unwrap_or_else(|| r#"{"items":[]}"#.to_owned())
    }

    fn batches(&self, offset: usize) -> String {
        let touched = self.touched.load(Ordering::Relaxed);
        let shown = offset..self.pages.len().min(offset + PAGE);
        let rows: Vec<String> = shown.map(|number| batch(&self.shape, number, touched)).collect();
        format!(r#"{{"items":[{}],"next_page_token":null,"total_size":null}}"#, rows.join(","))
    }
}

fn batch(shape: &Shape, number: usize, touched: u64) -> String {
    let total = shape.listed() + shape.completed;
    format!(
        r#"{{"id":"bjb-{number}","project_id":"proj-1","job_type":"parse","status":"completed","total_items":{total},"processed_items":{total},"failed_items":{},"skipped_items":{},"created_at":"{}","updated_at":"{}"}}"#,
        shape.failed,
        shape.skipped,
        shape.created_at(number),
        shape.ended_at(number) + SignedDuration::from_secs(touched as i64),
    )
}

fn render(shape: &Shape, batch: usize) -> [Vec<String>; 2] {
    let pages =
        |from: usize, to: usize| (from..to).step_by(PAGE).map(|at| page(shape, batch, at..to.min(at + PAGE))).collect();
    [pages(0, shape.failed), pages(shape.failed, shape.listed())]
}

fn page(shape: &Shape, batch: usize, positions: std::ops::Range<usize>) -> String {
    let first = positions.start;
    let mut rows = String::new();
    for position in positions {
        if position > first {
            rows.push(',');
        }
        render_item(&mut rows, &shape.item(batch, position));
    }
    format!(r#"{{"items":[{rows}],"next_page_token":null,"total_size":null}}"#)
}

fn render_item(rows: &mut String, item: &Item) {
    let text = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("\"{}\"", text.replace('"', "\\\"")));
    let _ = write!(
        rows,
        r#"{{"item_id":"{}","item_name":"{}","status":"{}","job_id":"{}","job_record_id":"{}","error_message":{},"skip_reason":{},"started_at":null,"completed_at":"{}"}}"#,
        item.item_id,
        item.name,
        item.status,
        item.job_id,
        item.record_id,
        text(item.message.as_deref()),
        text(item.skip_reason),
        item.completed_at,
    );
}

/// Xorshift: only has to be spread out and the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}
