//! Working memory that a thread keeps between calls.
//!
//! A fresh buffer of some megabytes costs more in page faults than many kernels cost in arithmetic. Buffers are taken out of the
//! thread's store while in use, so that a kernel that runs inside another one on the same thread gets its own.

use std::cell::RefCell;

thread_local! {
    static STORE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with a buffer of `len` values left over from earlier calls.
pub(super) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = STORE.with_borrow_mut(|store| {
        let fitting = store.iter().position(|buffer| buffer.len() >= len);
        fitting.map(|index| store.swap_remove(index)).or_else(|| store.pop()).unwrap_or_default()
    });
    if buffer.len() < len {
        buffer = Vec::new();
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    STORE.with_borrow_mut(|store| store.push(buffer));
    result
}
