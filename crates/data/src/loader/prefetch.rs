//! Jobs done ahead on threads, results handed out in order, memory bounded.
//!
//! A worker takes job `j` only when `j < delivered + ahead`, so at most `ahead` results exist or are in the making, however the
//! speeds of workers and reader differ.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{DataError, Result};

type Job<T> = dyn Fn(usize) -> Result<T> + Send + Sync;

/// Results of the jobs `0..count`, in order.
pub struct Prefetch<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    job: Box<Job<T>>,
    count: usize,
    ahead: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The next job to be taken.
    next: usize,
    /// Results handed out.
    delivered: usize,
    ready: BTreeMap<usize, Result<T>>,
    stopped: bool,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts up to `workers` threads that stay at most `ahead` results before the reader; without workers, each job is done when
    /// its result is asked for.
    pub fn start(
        count: usize,
        workers: usize,
        ahead: usize,
        job: impl Fn(usize) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let ahead = ahead.max(1);
        let state = State { next: 0, delivered: 0, ready: BTreeMap::new(), stopped: false };
        let shared = Shared { job: Box::new(job), count, ahead, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        // When the system refuses a thread, fewer do the work; with none, the reader does it.
        let spawn = |number| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("loader-{number}")).spawn(move || shared.work()).ok()
        };
        let threads = (0..workers.min(ahead).min(count)).filter_map(spawn).collect();
        Self { shared, threads }
    }
}

impl<T> Shared<T> {
    /// No code that holds the lock can leave the state half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, number: usize) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| (self.job)(number)))
            .unwrap_or_else(|panic| Err(DataError::Worker { batch: number, message: message(&*panic) }))
    }

    fn work(&self) {
        while let Some(number) = self.take() {
            let result = self.run(number);
            self.lock().ready.insert(number, result);
            self.changed.notify_all();
        }
    }

    /// The next job, as soon as there is room for its result.
    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.stopped && state.next < self.count {
            if state.next < state.delivered + self.ahead {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.wait(state);
        }
        None
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.ready.clear();
        drop(state);
        self.changed.notify_all();
    }

    fn next(&self, has_workers: bool) -> Option<Result<T>> {
        let mut state = self.lock();
        if state.stopped || state.delivered == self.count {
            return None;
        }
        let number = state.delivered;
        let result = if has_workers {
            loop {
                match state.ready.remove(&number) {
                    Some(result) => break result,
                    None => state = self.wait(state),
                }
            }
        } else {
            drop(state);
            let result = self.run(number);
            state = self.lock();
            result
        };
        state.delivered += 1;
        drop(state);
        self.changed.notify_all();
        if result.is_err() {
            self.stop();
        }
        Some(result)
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.shared.next(!self.threads.is_empty())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let state = self.shared.lock();
        let left = if state.stopped { 0 } else { self.shared.count - state.delivered };
        // An error may end it at any time.
        (left.min(1), Some(left))
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // Workers catch every panic of a job, and there is nothing to do about any other while dropping.
            let _ = thread.join();
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_speed_of_the_jobs() {
        for workers in [0, 1, 3, 9] {
            let job = |n: usize| {
                thread::sleep(Duration::from_micros((n as u64 * 7919) % 700));
                Ok(n * n)
            };
            let results: Vec<usize> = Prefetch::start(40, workers, 4, job).map(|r| r.unwrap()).collect();
            assert_eq!(results, (0..40).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn never_more_than_ahead_results_exist() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, peak) = (Arc::clone(&alive), Arc::clone(&most));
        let job = move |_| {
            peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Ok(Counted(Arc::clone(&count)))
        };
        let results = Prefetch::start(50, 4, 3, job);
        thread::sleep(Duration::from_millis(30));
        for result in results {
            drop(result);
            thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        // Three ahead, and the one that the reader holds.
        assert!(most.load(Ordering::SeqCst) <= 4, "{most:?} results existed at once");
    }

    #[test]
    fn a_panic_becomes_an_error_and_ends_the_results() {
        for workers in [0, 2] {
            let mut results = Prefetch::start(9, workers, 2, |n| if n == 3 { panic!("job {n} broke") } else { Ok(n) });
            let good: Vec<_> = results.by_ref().take(3).map(|r| r.unwrap()).collect();
            assert_eq!(good, [0, 1, 2]);
            let error = results.next().unwrap().unwrap_err().to_string();
            assert!(error.contains("batch 3") && error.contains("job 3 broke"), "{error}");
            assert!(results.next().is_none());
        }
    }

    #[test]
    fn dropping_early_joins_all_threads() {
        let job_alive = Arc::new(());
        let held = Arc::clone(&job_alive);
        let mut results = Prefetch::start(1000, 3, 5, move |n| {
            let _ = &held;
            Ok(n)
        });
        assert_eq!(results.next().unwrap().unwrap(), 0);
        drop(results);
        // Every thread holds the job, so a thread that still ran would hold this.
        assert_eq!(Arc::strong_count(&job_alive), 1);
    }

    #[test]
    fn no_jobs_give_no_results() {
        assert!(Prefetch::start(0, 2, 2, Ok::<usize, DataError>).next().is_none());
    }
}
