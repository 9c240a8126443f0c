//! Standard output and standard error of commands: a full disk or a closed pipe does not panic.
//!
//! A failure to write an answer is kept and looked at once, at the end ([`final_exit_code`]): what a command does must not
//! depend on where its answer goes.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::exit::Exit;
use crate::secrets;

/// Why the answer could not be written, once it could not.
static FAILURE: Mutex<Option<Error>> = Mutex::new(None);

/// Writes a line of the answer; takes what `println!` takes.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {
        $crate::commands::output::say(format_args!($($line)*))
    };
}

/// Writes a line to standard error, after the program's name, with secrets masked; takes what `println!` takes.
#[macro_export]
macro_rules! complain {
    ($($line:tt)*) => {
        $crate::commands::output::complain(format_args!($($line)*))
    };
}

/// Writes a line of the answer, unless an earlier one could not be written.
pub(crate) fn say(line: Arguments<'_>) {
    let mut failure = FAILURE.lock().unwrap_or_else(PoisonError::into_inner);
    if failure.is_none() {
        let mut out = anstream::stdout().lock();
        *failure = writeln!(out, "{line}").and_then(|()| out.flush()).err();
    }
}

/// Writes a line to standard error with secrets masked. Write errors are ignored: they cannot be reported.
pub(crate) fn complain(line: Arguments<'_>) {
    let line = line.to_string();
    let _nowhere_to_tell = writeln!(anstream::stderr().lock(), "llama-triage: {}", secrets::mask(&line));
}

/// Writes a question to standard error, where its answer is waited for.
///
/// # Errors
/// It cannot be written, so no one would answer.
pub(crate) fn ask(question: &str) -> std::io::Result<()> {
    let mut err = anstream::stderr().lock();
    write!(err, "{question}")?;
    err.flush()
}

/// Prints help, the version, or what is wrong with the command line; gives the exit code.
pub(crate) fn say_usage(said: &clap::Error) -> ExitCode {
    match said.print() {
        // A usage error stays a usage error even if it cannot be printed.
        Err(error) if !said.use_stderr() && error.kind() != ErrorKind::BrokenPipe => Exit::Failed.into(),
        _ => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(u8::MAX)),
    }
}

/// The exit code at the end of the program: an answer that could not be written makes a success a failure.
///
/// A reader that has seen enough, as `head`, is none.
pub(crate) fn final_exit_code(exit: Exit) -> Exit {
    match FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain!("cannot write the answer: {error}");
            if exit == Exit::Done { Exit::Failed } else { exit }
        }
        _ => exit,
    }
}
