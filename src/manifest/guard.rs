//! Calls into redb that may meet pages which make no sense. redb panics on many of those; here a
//! panic becomes a value, and nothing is printed of it.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected and caught.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`; `None` when it panics. What it worked on must not be used again then.
///
/// The panic hook that was there is kept for all other panics, of this thread and of others.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_nothing_and_the_next_call_works() {
        assert_eq!(caught(|| [1, 2, 3].iter().sum::<i32>()), Some(6));
        let none: Vec<i32> = Vec::new();
        assert_eq!(caught(|| none[0]), None);
        assert_eq!(caught(|| caught(|| none[0]).is_none()), Some(true));
        assert!(!QUIET.get());
    }
}
