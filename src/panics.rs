//! What a panic said: a machine that panics is dropped without a word, and its run wants to know why.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static LATEST: RefCell<Option<String>> = const { RefCell::new(None) };
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
            hook(info);
        }));
    });
}

/// The message of this thread's latest panic, once.
pub(crate) fn latest() -> String {
    LATEST.take().unwrap_or_else(|| "for no reason that it told".to_owned())
}
