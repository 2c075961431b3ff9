//! Threads for a build.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{DataError, Result};

/// A pool of `threads` threads, of one per core for 0.
///
/// # Errors
/// [`DataError::Option`] when the system cannot start so many.
pub(crate) fn thread_pool(threads: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| DataError::Option {
        option: "threads",
        got: threads.to_string(),
        expected: format!("a number of threads that the system can start ({e})"),
    })
}
