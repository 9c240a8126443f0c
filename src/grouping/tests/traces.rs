//! Stack traces: the first line and the exception count, frames and their number do not.

use crate::grouping::tests::{all_apart, one_group};

fn python(frames: usize, last: &str) -> String {
    let frames: String =
        (0..frames).map(|n| format!("  File \"/app/step{n}.py\", line {n}, in go\n    run({n})\n")).collect();
    format!("Traceback (most recent call last):\n{frames}{last}")
}

fn java(frames: usize, first: &str, cause: &str) -> String {
    let frames: String = (0..frames).map(|n| format!("\n\tat org.lab.Step{n}.go(Step.java:{n})")).collect();
    format!("{first}{frames}\nCaused by: {cause}{frames}\n\t... {frames_left} more", frames_left = frames.len())
}

fn node(frames: usize, first: &str) -> String {
    let frames: String = (0..frames).map(|n| format!("\n    at step{n} (/app/step.js:{n}:7)")).collect();
    format!("{first}{frames}")
}

#[test]
fn python_depth_does_not_matter_but_the_exception_does() {
    one_group(&[&python(1, "ValueError: page 3 is blank"), &python(9, "ValueError: page 12 is blank")]);
    all_apart(&[
        &python(2, "ValueError: page 3 is blank"),
        &python(2, "ValueError: page 3 is torn"),
        &python(2, "OSError: page 3 is blank"),
    ]);
    let chained = format!(
        "{}\n\nDuring handling of the above exception, another exception occurred:\n\n{}",
        python(3, "KeyError: 'x'"),
        python(1, "ValueError: page 8 is blank")
    );
    one_group(&[&chained, &python(4, "ValueError: page 3 is blank")]);
}

#[test]
fn java_and_node_depth_does_not_matter_but_the_cause_does() {
    let first = "org.lab.StageError: stage 3 broke";
    one_group(&[&java(1, first, "java.io.IOException: disk full"), &java(7, first, "java.io.IOException: disk full")]);
    all_apart(&[&java(2, first, "java.io.IOException: disk full"), &java(2, first, "java.net.SocketException: reset")]);
    one_group(&[&node(1, "TypeError: fetch failed"), &node(8, "TypeError: fetch failed")]);
    all_apart(&[&node(3, "TypeError: fetch failed"), &node(3, "RangeError: fetch failed")]);
}
