//! A connection on its own thread: SQLite blocks, so work is sent there and its answer awaited.

use std::sync::mpsc::{Receiver, Sender, channel};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::ledger::error::LedgerError;

/// Cloning is cheap and shares the thread. It ends, and closes the connection, with the last clone or with [`Self::close`].
#[derive(Clone)]
pub(crate) struct ConnectionThread {
    messages: Sender<Message>,
}

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Work(Work),
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

impl ConnectionThread {
    /// Gives a connection to a new thread.
    pub(crate) fn start(connection: Connection) -> ConnectionThread {
        let (messages, received) = channel();
        std::thread::spawn(move || run(connection, &received));
        ConnectionThread { messages }
    }

    /// Runs `work` after what was sent before it. Dropping the returned future does not stop it.
    ///
    /// # Errors
    /// Whatever `work` returns; [`LedgerError::Closed`] if the thread has ended, or ends in a panic of `work`.
    pub(crate) async fn call<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |connection| {
            // Who no longer waits has given the work up to its own fate, and it is done all the same.
            let _ = answer.send(work(connection));
        }));
        answered.await.unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }

    /// A thread that has ended drops the work, and with it the sender of its answer.
    fn send(&self, work: Work) {
        let _ = self.messages.send(Message::Work(work));
    }

    /// Closes the connection after what was sent before, and ends the thread; nothing if it has ended already.
    ///
    /// # Errors
    /// SQLite's; the connection stays open then.
    pub(crate) async fn close(&self) -> Result<(), LedgerError> {
        let (answer, answered) = oneshot::channel();
        let _ = self.messages.send(Message::Close(answer));
        answered.await.unwrap_or(Ok(()))
    }
}

fn run(mut connection: Connection, received: &Receiver<Message>) {
    while let Ok(message) = received.recv() {
        match message {
            Message::Work(work) => work(&mut connection),
            Message::Close(answer) => match connection.close() {
                Ok(()) => {
                    let _ = answer.send(Ok(()));
                    return;
                }
                Err((still_open, error)) => {
                    connection = still_open;
                    let _ = answer.send(Err(error.into()));
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> ConnectionThread {
        ConnectionThread::start(Connection::open_in_memory().unwrap())
    }

    async fn one(thread: &ConnectionThread) -> Result<i64, LedgerError> {
        thread.call(|connection| Ok(connection.query_row("SELECT 1", (), |row| row.get(0))?)).await
    }

    #[tokio::test]
    async fn work_is_done_in_the_order_it_was_sent_even_if_its_answer_is_not_awaited() {
        let thread = thread();
        thread.send(Box::new(|connection| connection.execute_batch("CREATE TABLE t (a)").unwrap()));
        drop(thread.call(|_| Ok::<_, LedgerError>(())));
        let names = "SELECT count(*) FROM sqlite_schema";
        let found: Result<i64, LedgerError> =
            thread.call(move |connection| Ok(connection.query_row(names, (), |row| row.get(0))?)).await;
        assert_eq!(found.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_closed_connection_refuses_work_and_may_be_closed_again() {
        let thread = thread();
        let other = thread.clone();
        assert_eq!(one(&thread).await.unwrap(), 1);
        thread.close().await.unwrap();
        assert!(matches!(one(&other).await, Err(LedgerError::Closed)));
        other.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_ends_the_thread_and_is_no_answer() {
        let thread = thread();
        let outcome: Result<(), LedgerError> = thread.call(|_| panic!("a defect")).await;
        assert!(matches!(outcome, Err(LedgerError::Closed)));
        assert!(matches!(one(&thread).await, Err(LedgerError::Closed)));
    }
}
