//! What a panic said: a machine that panics is dropped without a word, and its run wants to know why.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static LATEST: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// From now on every panic's message is kept for its thread, beside what the hook of before does.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
            LATEST.set(Some(format!("{message}{place}")));
            if !IS_QUIET.get() {
                hook(info);
            }
        }));
    });
}

/// Does what may panic where a file cannot be written, in a crate that knows no other way to tell. Nothing is shown
/// then; whoever asked for it tells it in words, and looks at nothing again that it left behind.
pub(crate) fn quietly<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    remember();
    let was_quiet = IS_QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(act));
    IS_QUIET.set(was_quiet);
    outcome.map_err(|_payload| latest())
}

/// The message of this thread's latest panic, once.
pub(crate) fn latest() -> String {
    LATEST.take().unwrap_or_else(|| "for no reason that it told".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panicked_quietly_is_told() {
        assert_eq!(quietly(|| 7), Ok(7));
        let told = quietly(|| panic!("no room")).unwrap_err();
        assert!(told.starts_with("no room at ") && told.contains("panics.rs"), "{told}");
        assert!(!IS_QUIET.get());
    }
}
