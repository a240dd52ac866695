//! Ctrl-C and its kin: the first asks the work to stop, the second ends the process at once.
//!
//! Until [`watch`] is called, signals do what they always do: nothing that must be cleaned up has
//! begun, and a command that waits for a lock ends at once.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static WHICH: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// From now on the first SIGINT, SIGTERM or SIGHUP only makes [`asked`] say yes.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Without a handler the signal ends the process, and `tmp/` keeps what gc removes.
            let _ = register(signal);
        }
    });
}

fn register(signal: c_int) -> io::Result<()> {
    // In this order: the default of the second signal looks at what the first one set.
    flag::register_conditional_default(signal, ASKED.clone())?;
    flag::register_usize(signal, WHICH.clone(), signal as usize)?;
    flag::register(signal, ASKED.clone())?;
    Ok(())
}

/// Leaves Ctrl-C to the pager, which the terminal sends it to as well.
pub(super) fn leave_interrupts_to_the_pager() {
    let _ = flag::register(SIGINT, Arc::default());
}

/// Whether the user or the system asked the work to stop.
pub(super) fn asked() -> bool {
    ASKED.load(Relaxed)
}

/// Ends the process by the signal that asked for it, so that a shell sees what happened and stops
/// its own loop: `$?` is 130 after SIGINT, 143 after SIGTERM. Returns when none did.
pub(super) fn die_of_it() {
    let signal = WHICH.load(Relaxed);
    if signal != 0 {
        let _ = low_level::emulate_default_handler(signal as c_int);
    }
}
