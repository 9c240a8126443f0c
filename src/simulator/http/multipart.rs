//! Reads forms with files, as uploads send them.

use serde_json::{Map, Value, json};

/// The parts of a form as one object: a field as its text, a file as `{"filename", "size"}`.
/// None if the content type is that of something else, or names no boundary.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Option<Value> {
    let boundary = content_type.strip_prefix("multipart/form-data")?.split("boundary=").nth(1)?;
    let delimiter = format!("--{}", boundary.split(';').next().unwrap_or_default().trim().trim_matches('"'));
    let parts = split(body, delimiter.as_bytes());
    let fields: Map<String, Value> = parts.into_iter().filter_map(field).collect();
    Some(Value::Object(fields))
}

/// Name and value of one part; none for what stands before the first and after the last.
fn field(part: &[u8]) -> Option<(String, Value)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..end]);
    let content = part[end + 4..].strip_suffix(b"\r\n").unwrap_or(&part[end + 4..]);
    let name = parameter(&head, "name")?;
    let value = match parameter(&head, "filename") {
        Some(filename) => json!({"filename": filename, "size": content.len()}),
        None => String::from_utf8_lossy(content).into_owned().into(),
    };
    Some((name, value))
}

fn parameter(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn split<'b>(mut body: &'b [u8], delimiter: &[u8]) -> Vec<&'b [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(body, delimiter) {
        parts.push(&body[..at]);
        body = &body[at + delimiter.len()..];
    }
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_of_a_form_are_read() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nparse\r\n\
            --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\
            %PDF\r\n--x--\r\n";
        let form = read("multipart/form-data; boundary=x", body).unwrap();
        assert_eq!(form, json!({"purpose": "parse", "file": {"filename": "a b.pdf", "size": 4}}));
        assert_eq!(read("application/json", b"{}"), None);
    }
}
