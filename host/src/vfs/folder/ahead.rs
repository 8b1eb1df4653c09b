//! Names that were read ahead: of directories with more entries than a page has.
//!
//! Whoever reads such a directory asks for page after page, each time with a handle of its own perhaps, and to find the names of a page all names have to be read. So as many of those that follow as fit into
//! some memory are kept for the pages to come. They are a copy of the directory as long as it is as it was, which its times tell: a directory whose names change has other ones. A change could hide only
//! within a tick of the file system's clock, so what was changed a moment before it was read is not kept ([`Stamp::settled`]), and nothing is used for longer than [`AGE`], whatever the times say.
//!
//! However many directories there are and however large they are, the names of a drive that are kept take at most the bytes that [`ReadAhead::new`] was given, twice; what was not used for longest goes first, and
//! what was read to its end at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use parking_lot::Mutex;
use rustix::fs::fstat;

use super::names::Names;

/// Names of one scan take so many bytes at most, if a page does not take more: those of 175,000 entries if they have 16 bytes each, so that a million such entries are read with six scans.
pub(super) const BYTES: usize = 4 << 20;
/// How many runs of names are kept at most.
const RUNS: usize = 16;
/// How long names are used.
const AGE: Duration = Duration::from_secs(30);
/// The clocks of file systems tick at least so often,
const TICK: Duration = Duration::from_millis(100);
/// or, if they know seconds only, so often.
const COARSE: Duration = Duration::from_secs(3);

/// Which directory it is and when it was changed: times in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: i128,
    inode: i128,
    modified: i128,
    changed: i128,
}

impl Stamp {
    /// None: the system can't tell.
    pub(super) fn of(directory: &Dir) -> Option<Self> {
        let stat = fstat(directory).ok()?;
        let time = |seconds: i128, nanoseconds: i128| seconds * 1_000_000_000 + nanoseconds;
        Some(Self {
            device: stat.st_dev.into(),
            inode: stat.st_ino.into(),
            modified: time(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: time(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        })
    }

    /// Whether any change after `now` would show in the stamp: the last one was more than a tick before. Only the change time counts, since the other can be set to anything.
    pub(super) fn settled(self, now: SystemTime) -> bool {
        let Some(now) = now.duration_since(UNIX_EPOCH).ok().and_then(|since| i128::try_from(since.as_nanos()).ok()) else { return false };
        let tick = if self.changed % 1_000_000_000 == 0 { COARSE } else { TICK };
        i128::try_from(tick.as_nanos()).is_ok_and(|tick| self.changed < now - tick)
    }

    fn is_of(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// All names of a directory between two places.
#[derive(Debug)]
pub(super) struct Run {
    /// They are those greater than this.
    pub(super) after: Option<String>,
    pub(super) names: Names,
    /// No names come after them.
    pub(super) last: bool,
}

/// A run of names that is kept.
#[derive(Debug)]
struct Kept {
    /// The directory, before and after it was read.
    stamp: Stamp,
    read: Instant,
    run: Arc<Run>,
}

impl Kept {
    /// Whether it is of no use any more, now that a directory is known to be like this.
    fn is_stale(&self, stamp: Stamp) -> bool {
        (self.stamp.is_of(stamp) && self.stamp != stamp) || self.read.elapsed() >= AGE
    }
}

/// What the directories of a drive share.
#[derive(Debug)]
pub(super) struct ReadAhead {
    bytes: usize,
    /// What was used last is last.
    runs: Mutex<VecDeque<Kept>>,
    #[cfg(test)]
    pub(super) scans: std::sync::atomic::AtomicUsize,
}

impl ReadAhead {
    /// Of one scan, as many names as take `bytes` are kept.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            bytes,
            runs: Mutex::default(),
            #[cfg(test)]
            scans: Default::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Names of a directory that is now like this, among them those after `after`, if they are `enough`.
    pub(super) fn find(&self, stamp: Stamp, after: &str, enough: impl Fn(&Run) -> bool) -> Option<Arc<Run>> {
        let mut runs = self.runs.lock();
        runs.retain(|kept| !kept.is_stale(stamp));
        let found = runs.iter().position(|kept| kept.stamp == stamp && kept.run.after.as_deref().is_none_or(|from| from <= after) && enough(&kept.run))?;
        let kept = runs.remove(found)?;
        let run = kept.run.clone();
        runs.push_back(kept);
        Some(run)
    }

    /// Keeps names of a directory that was like this before and after it was read, and lets others go that there is no room for.
    pub(super) fn keep(&self, stamp: Stamp, run: Arc<Run>) {
        let mut runs = self.runs.lock();
        let covers = |other: &Run| run.after <= other.after && (run.last || (!other.last && run.names.last() >= other.names.last()));
        runs.retain(|kept| if kept.stamp == stamp { kept.read.elapsed() < AGE && !covers(&kept.run) } else { !kept.is_stale(stamp) });
        runs.push_back(Kept { stamp, read: Instant::now(), run });
        while runs.len() > RUNS || (runs.len() > 1 && runs.iter().map(|kept| kept.run.names.cost()).sum::<usize>() > 2 * self.bytes) {
            runs.pop_front();
        }
    }

    /// The directory was read to its end.
    pub(super) fn forget(&self, stamp: Stamp) {
        self.runs.lock().retain(|kept| !kept.stamp.is_of(stamp));
    }

    /// How many bytes of names are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.runs.lock().iter().map(|kept| kept.run.names.cost()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_settled_when_its_clock_has_ticked_since_its_last_change() {
        let second = Duration::from_secs(1_700_000_000);
        let changed = |at: Duration| Stamp { device: 1, inode: 2, modified: 0, changed: at.as_nanos().try_into().unwrap() };
        let after = |at: Duration, milliseconds: u64| changed(at).settled(UNIX_EPOCH + at + Duration::from_millis(milliseconds));
        let fine = second + Duration::from_nanos(123_456_789);
        assert_eq!([0, 1, 99, 101].map(|milliseconds| after(fine, milliseconds)), [false, false, false, true]);
        assert_eq!([0, 101, 2_999, 3_001].map(|milliseconds| after(second, milliseconds)), [false, false, false, true], "it may know seconds only");
        assert!(!changed(fine).settled(UNIX_EPOCH + second), "the clock was set back since");
        let odd = Stamp { modified: i128::MAX, ..changed(fine) };
        assert!(odd.settled(UNIX_EPOCH + fine + Duration::from_secs(1)), "a modification time may be anything");
    }
}
