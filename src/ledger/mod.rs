//! The ledger as a database: opening, migrating, one writer, readers, the lock, backup, check and prune.
//!
//! Tables belong to the rooms that fill them (their `store…` files). Statements are synchronous functions over a connection
//! or transaction, so that they can be tested in memory; only this file knows about threads.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod hash;
pub(crate) mod identity;
pub(crate) mod lock;
pub(crate) mod meta;
pub(crate) mod open;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod run;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod thread;
pub(crate) mod time;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::TransactionBehavior;

use crate::ledger::lock::Lock;

use crate::ledger::error::LedgerError;
use crate::ledger::thread::ConnectionThread;
pub(crate) use rusqlite::{Connection, Transaction};

/// An open ledger: one writer thread and one reader thread over the same file.
///
/// Cloning is cheap and shares the threads.
#[derive(Clone)]
pub struct Ledger {
    path: PathBuf,
    writer: ConnectionThread,
    reader: ConnectionThread,
    /// None for small acts beside the process that holds it.
    lock: Option<Arc<Lock>>,
}

impl Ledger {
    /// Opens the ledger for writing: makes the file (0600) if it is missing, takes the lock, migrates.
    ///
    /// # Errors
    /// Another process holds the lock, the file cannot be made or read, or its schema is newer than this program.
    pub async fn open(path: &Path) -> Result<Ledger, LedgerError> {
        let mut lock = Lock::take(path)?;
        let writer = open::writer(path)?;
        lock.lock_file(path)?;
        let (lock, reader) = (Arc::new(lock), open::reader(path)?);
        lock.keep_with(&writer)?;
        lock.keep_with(&reader)?;
        let (writer, reader) = (ConnectionThread::start(writer), ConnectionThread::start(reader));
        Ok(Ledger { path: path.to_owned(), writer, reader, lock: Some(lock) })
    }

    /// Opens an existing ledger for small acts of people (ack, silence, note, dismiss) while a service may hold the lock.
    ///
    /// SQLite lets a second connection write between the service's transactions and waits for its turn; what must not run
    /// twice (scans, cycles, deliveries) takes the lock with [`Ledger::open`] instead. Never makes or migrates a ledger.
    ///
    /// # Errors
    /// The ledger is missing, cannot be read, or has another schema than this program.
    pub async fn open_shared(path: &Path) -> Result<Ledger, LedgerError> {
        let reader = ConnectionThread::start(open::reader(path)?);
        let writer = ConnectionThread::start(open::shared_writer(path)?);
        Ok(Ledger { path: path.to_owned(), writer, reader, lock: None })
    }

    /// Closes the connections, the writer last: it then moves everything from the write-ahead log into the file.
    ///
    /// Other clones of this ledger stop working. A process that just ends loses nothing, but leaves the log beside the file.
    pub async fn close(self) -> Result<(), LedgerError> {
        self.reader.close().await?;
        self.writer.close().await
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file the write-ahead log is; none if there is none. It stays the same while a ledger is open.
    ///
    /// # Errors
    /// It cannot be looked at, which does not mean that it is not there.
    pub fn log_file(&self) -> std::io::Result<Option<u64>> {
        use std::os::unix::fs::MetadataExt;
        match std::fs::metadata(access::wal_path(&self.path)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            found => found.map(|file| Some(file.ino())),
        }
    }

    /// Whether the file that is open is no longer the one of this name: it was replaced or removed.
    pub fn is_replaced(&self) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.is_of_another_file(&self.path))
    }

    /// Closes a ledger that [was replaced](Self::is_replaced). What its log holds goes into its own file before that, for
    /// SQLite would take a log that stays for one of the new file. Gives `LedgerError::Replaced`, or why the log could
    /// not be emptied.
    pub async fn close_replaced(self) -> LedgerError {
        let emptied = self.writer.call(|connection| {
            Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?)
        });
        let emptied: Result<bool, LedgerError> = emptied.await;
        let path = self.path.clone();
        match (emptied, self.close().await) {
            (Err(error), _) | (_, Err(error)) => error,
            (Ok(is_busy), Ok(())) => LedgerError::Replaced { path, log_stays: is_busy },
        }
    }

    /// Runs `work` in one immediate transaction on the writer and commits it; any error rolls back.
    ///
    /// Dropping the returned future does not stop work that has begun.
    ///
    /// # Errors
    /// Whatever `work` returns, or SQLite's refusal to begin or commit.
    pub async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.try_write(work).await
    }

    /// Runs `work` as [`Ledger::write`] does, where `work` may also refuse for what it finds; nothing has changed then.
    ///
    /// # Errors
    /// As `work` says, and as [`Ledger::write`].
    pub async fn try_write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        self.writer.call(move |connection| transact(connection, work)).await
    }

    /// The same without looking up every reference of every row, which costs a fifth of a large ingest, and without
    /// waiting for the disk.
    ///
    /// Only for work that writes references which it has itself read or made in the same transaction (`ledger check`
    /// looks at all of them), and that would be done again after a power cut: the next [`Ledger::write`] puts it on disk.
    ///
    /// # Errors
    /// As [`Ledger::write`].
    pub async fn write_in_bulk<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.writer
            .call(move |connection| {
                open::set_care(connection, open::Care::Bulk)?;
                let outcome = transact(connection, work);
                open::set_care(connection, open::Care::Full)?;
                outcome
            })
            .await
    }

    /// Runs `work` as [`Ledger::write`] does and takes it all back: what would happen, without it happening.
    ///
    /// # Errors
    /// As [`Ledger::write`].
    pub async fn dry_run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.writer
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let value = work(&transaction)?;
                transaction.rollback()?;
                Ok(value)
            })
            .await
    }

    /// Gives back the memory of the writer's page cache, after work that filled it.
    pub async fn release_memory(&self) -> Result<(), LedgerError> {
        self.writer.call(|connection| Ok(connection.execute_batch("PRAGMA shrink_memory")?)).await
    }

    /// Runs `work` on the read-only connection; it sees the last committed state.
    ///
    /// # Errors
    /// Whatever `work` returns.
    pub async fn read<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.reader.call(move |connection| work(connection)).await
    }

    /// Counts the steps of both threads from now on.
    #[cfg(test)]
    pub(crate) async fn count_steps(&self) {
        for thread in [&self.writer, &self.reader] {
            let counting = thread.call(|connection| {
                tests::steps::count(connection);
                Ok::<_, LedgerError>(())
            });
            counting.await.unwrap();
        }
    }

    /// What they took since.
    #[cfg(test)]
    pub(crate) async fn take_steps(&self) -> tests::steps::Steps {
        let mut all = tests::steps::Steps::new();
        for thread in [&self.writer, &self.reader] {
            all.extend(thread.call(|_| Ok::<_, LedgerError>(tests::steps::take())).await.unwrap());
        }
        all
    }
}

fn transact<T, E: From<LedgerError>>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(LedgerError::from)?;
    let value = work(&transaction)?;
    transaction.commit().map_err(LedgerError::from)?;
    Ok(value)
}
