//! What `stat` says of a file, and when that is enough to know that the content is the same.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, statat};

use crate::manifest::{Fingerprint, MODE_MASK, Mtime};

/// The parts of `stat` that tell one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    dev: u64,
    ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits, within [`MODE_MASK`].
    pub mode: u32,
    /// Time of the last change to the content.
    pub mtime: Mtime,
    ctime: Mtime,
}

/// A change that happens this close to a look at the clock may leave the times as they were: file
/// times advance with the kernel's tick, at most 10 ms.
const TICK: i128 = 50_000_000;
/// File systems that keep whole seconds keep even ones at the coarsest (FAT).
const COARSE: i128 = 2_000_000_000;

#[allow(clippy::unnecessary_cast, reason = "the width of stat's fields differs by platform")]
impl From<&rustix::fs::Stat> for Stat {
    fn from(s: &rustix::fs::Stat) -> Self {
        let time =
            |secs: i64, nanos: i64| Mtime { secs, nanos: nanos.clamp(0, 999_999_999) as u32 };
        Self {
            dev: s.st_dev as u64,
            ino: s.st_ino as u64,
            size: s.st_size.max(0) as u64,
            mode: s.st_mode as u32 & MODE_MASK,
            mtime: time(s.st_mtime as i64, s.st_mtime_nsec as i64),
            ctime: time(s.st_ctime as i64, s.st_ctime_nsec as i64),
        }
    }
}

impl Stat {
    /// The fingerprint of the content that a file with this stat had, when it was read no earlier
    /// than `clock` (see [`now`]); `None` when the file changed so shortly before that a
    /// later change could hide in the same tick of the clock.
    pub fn fingerprint(&self, clock: i128) -> Option<Fingerprint> {
        let nanos = |t: Mtime| i128::from(t.secs) * 1_000_000_000 + i128::from(t.nanos);
        let grain = if self.mtime.nanos == 0 && self.ctime.nanos == 0 { COARSE } else { TICK };
        let latest = nanos(self.mtime).max(nanos(self.ctime));
        (latest + grain < clock).then(|| self.digest())
    }

    /// The fingerprint by itself, to compare with one that was kept.
    pub fn digest(&self) -> Fingerprint {
        let mut bytes = [0; 48];
        let fields = [
            self.dev,
            self.ino,
            self.size,
            self.mtime.secs as u64,
            self.ctime.secs as u64,
            u64::from(self.mtime.nanos) << 32 | u64::from(self.ctime.nanos),
        ];
        for (slot, field) in bytes.chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        Fingerprint(digest)
    }
}

/// The clock that file times are compared with, in nanoseconds since 1970.
pub fn now() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The stat of a path, not following a link.
///
/// # Errors
///
/// The system's answer.
pub fn stat(path: &std::path::Path) -> std::io::Result<Stat> {
    Ok(Stat::from(&statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?))
}
