//! The console of the built binary, over real HTTP.

mod acts;
mod attacks;
mod pages;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use jiff::Timestamp;
use llama_triage::internals::simulator::{Options, WorldBuilder};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::serve::command;
use crate::site::Site;

const BUSY: &str = "the service is busy, try again later";

/// A text that would run, steer or break out of an attribute, if it were more than text.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}\u{202e}";

/// A running console; killed when the test ends.
struct Running {
    child: Child,
    address: String,
    client: Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A scanned site with busy items, a locked one, and one whose texts are hostile.
async fn scanned(more: &str) -> Site {
    let world = WorldBuilder::at(Timestamp::now())
        .batch("b1")
        .item("fine")
        .item("i0")
        .fails_until(2, BUSY)
        .item("i1")
        .fails_until(2, BUSY)
        .item("locked")
        .fails("PDF_IS_PROTECTED")
        .item("hostile")
        .named(HOSTILE)
        .fails(HOSTILE)
        .build();
    let site = Site::new(world, Options::default(), more).await;
    site.command(&["cycle"]).assert().success();
    site
}

/// `console` with the site's configuration, on a free port.
fn start(site: &Site) -> Running {
    start_with_log(site, Stdio::null())
}

/// The same; `log` gets what it logs.
fn start_with_log(site: &Site, log: Stdio) -> Running {
    let mut console = command(site, "console");
    let mut child = console.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).expect(&line);
    let address = address.trim_end_matches('/').to_owned();
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Running { child, address, client }
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// The text of a page that is there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}: {}", answer.text().await.unwrap());
        answer.text().await.unwrap()
    }

    /// Sends a form as a browser does from a page of the console.
    async fn post(&self, path: &str, form: &[(&str, &str)], more: HeaderMap) -> Response {
        let own = HeaderMap::from_iter([
            (reqwest::header::ORIGIN, HeaderValue::try_from(format!("http://{}", self.address)).unwrap()),
            ("sec-fetch-site".parse().unwrap(), HeaderValue::from_static("same-origin")),
        ]);
        let mut request = self.client.post(self.url(path)).headers(own);
        for (name, value) in &more {
            request = request.header(name, value);
        }
        request.form(form).send().await.unwrap()
    }

    /// The token of the first form on a page.
    async fn token(&self, path: &str) -> String {
        token(&self.page(path).await)
    }

    /// Logs in by the form; the answer.
    async fn log_in(&self, name: &str, token: &str, next: &str, more: HeaderMap) -> Response {
        let form = self.token("/log-in").await;
        let body = [("form", form.as_str()), ("name", name), ("token", token), ("next", next)];
        self.post("/log-in", &body, more).await
    }

    /// What is answered to these bytes, in which `ADDRESS` stands for the console's own, until the connection is closed.
    async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let _refused_early = stream.write_all(bytes.replace("ADDRESS", &self.address).as_bytes()).await;
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(std::time::Duration::from_secs(8), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "the connection stays open: {bytes}");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Opens the question and sends its form; the path of the page after it.
    async fn act(&self, question: &str, form: &[(&str, &str)]) -> String {
        let token = self.token(question).await;
        let mut form = form.to_vec();
        form.extend([("form", token.as_str()), ("person", "Ann Example")]);
        let answer = self.post("/act", &form, HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{form:?}: {}", answer.text().await.unwrap());
        answer.headers()["location"].to_str().unwrap().to_owned()
    }
}

fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form\" value=\"").expect("the page has a form");
    rest.split('"').next().unwrap().to_owned()
}

fn group_of(site: &Site, message: &str) -> String {
    let sql = format!(
        "SELECT g.group_id FROM error_group g JOIN observation o USING (group_key) JOIN message m USING (message_key)
         WHERE m.text = '{}'",
        message.replace('\'', "''")
    );
    site.texts(&sql).remove(0)
}
