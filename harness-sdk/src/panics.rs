//! Remembers the first panic of the process, so that a task's end is not taken for the peer's.

use std::sync::OnceLock;

static FIRST: OnceLock<String> = OnceLock::new();

/// From now on a panic is remembered, and still printed on stderr.
pub fn remember() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let _ = FIRST.set(info.to_string().replace('\n', " "));
        print(info);
    }));
}

/// The first panic's message and place.
pub fn first() -> Option<&'static str> {
    FIRST.get().map(String::as_str)
}
