//! What is shown of a transfer while it runs, in words. Plain state; time is an argument.

use tokio::time::Instant;

use super::rate::Rate;
use crate::cli::units::{show_count, show_size};
use crate::cli::wire::TransferState;

/// How many characters of a name the bar shows.
const NAME_WIDTH: usize = 18;

/// Files of a tree that are done, and how many there are, once known.
pub(super) type Files = (u64, Option<u64>);

/// How far it is.
pub(super) struct Shown {
    /// What the person calls the file or the folder, fit for a terminal.
    pub(super) name: String,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    /// None: it is a file, or nothing was heard yet.
    pub(super) files: Option<Files>,
    /// None: nothing was heard yet.
    pub(super) state: Option<TransferState>,
    pub(super) rate: Rate,
    /// It is told of whole segments.
    pub(super) steps: bool,
}

impl Shown {
    pub(super) fn new(name: String, total: Option<u64>) -> Self {
        Self { name, done: 0, total, files: None, state: None, rate: Rate::default(), steps: false }
    }

    /// The name as the bar shows it: short enough that all else fits into a terminal of 80 columns.
    pub(super) fn message(&self) -> String {
        let count = self.name.chars().count();
        if count <= NAME_WIDTH {
            return self.name.clone();
        }
        let end = NAME_WIDTH / 2;
        let beginning = NAME_WIDTH - end - 1;
        self.name.chars().take(beginning).chain(['…']).chain(self.name.chars().skip(count - end)).collect()
    }

    /// What is heard of it now.
    pub(super) fn note(&mut self, now: Instant, done: u64, total: Option<u64>, files: Option<Files>, state: &TransferState) {
        if let TransferState::Restarted(_) = state {
            self.rate.restart();
        }
        if !matches!(state, TransferState::Waiting | TransferState::Starting) {
            self.rate.note(now, done);
            // Files that are only compared are no standstill.
            if files.map(|(done, _)| done) != self.files.map(|(done, _)| done) {
                self.rate.alive(now);
            }
        }
        (self.done, self.total, self.files, self.state) = (done, total, files, Some(state.clone()));
    }

    /// Whether bytes should move just now.
    fn moves(&self) -> bool {
        matches!(self.state, Some(TransferState::Transferring | TransferState::Restarted(_))) && self.total.is_none_or(|total| self.done < total)
    }

    /// Rate and time left, as far as they mean something.
    pub(super) fn rate(&self, now: Instant) -> String {
        if matches!(self.state, Some(TransferState::Verifying)) {
            return "verifying".into();
        }
        if self.moves() { self.rate.show(now, self.total.map(|total| total.saturating_sub(self.done)), self.steps) } else { String::new() }
    }

    pub(super) fn stalled(&self, now: Instant) -> bool {
        self.moves() && !self.steps && self.rate.stalled(now).is_some()
    }

    /// `, 1,234 files` of a tree, nothing of a file.
    pub(super) fn count(&self) -> String {
        self.files.map(|(done, _)| format!(", {}", show_count(done, "file"))).unwrap_or_default()
    }

    /// All of it as a line; none before anything was heard.
    pub(super) fn line(&self, now: Instant) -> Option<String> {
        let (name, done) = (&self.name, show_size(self.done));
        let rate = Some(self.rate(now)).filter(|rate| !rate.is_empty()).map(|rate| format!(", {rate}")).unwrap_or_default();
        let files = match self.files {
            Some((done, Some(total))) => format!(", {} of {}", show_count(done, ""), show_count(total, "file")),
            _ => self.count(),
        };
        Some(match (self.state.as_ref()?, self.total) {
            (TransferState::Waiting, _) => format!("{name}: waiting for its turn"),
            (TransferState::Starting, _) => format!("{name}: starting"),
            (TransferState::Verifying, _) => format!("{name}: verifying {done}{files}"),
            (_, None) => format!("{name}: {done}{files}{rate}"),
            (_, Some(total)) => format!("{name}: {}% ({done} of {}{files}){rate}", percent(self.done, total), show_size(total)),
        })
    }
}

/// How much of it, rounded down; of nothing, all.
pub(super) fn percent(done: u64, total: u64) -> u8 {
    if total == 0 {
        return 100;
    }
    u8::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shown(done: u64, total: Option<u64>, state: TransferState) -> Shown {
        Shown { done, state: Some(state), ..Shown::new("x".into(), total) }
    }

    #[test]
    fn a_long_name_leaves_room_for_the_rest_and_is_known_by_its_ends() {
        let name = |text: &str| Shown::new(text.into(), None).message();
        assert_eq!(name("eighteen letters.x"), "eighteen letters.x");
        assert_eq!(name("a folder/with a long name.tar.gz"), "a folder…me.tar.gz");
        assert_eq!(name(&"ü".repeat(200)).chars().count(), NAME_WIDTH);
    }

    #[test]
    fn a_line_says_percent_bytes_rate_and_time_left() {
        let start = Instant::now();
        let line = |mut shown: Shown, notes: &[u64], seconds: u64| {
            for (number, bytes) in notes.iter().enumerate() {
                shown.rate.note(start + Duration::from_secs(2 * number as u64), *bytes);
            }
            shown.line(start + Duration::from_secs(seconds)).unwrap()
        };
        let transferring = || TransferState::Transferring;
        assert_eq!(line(shown(2 << 20, Some(4 << 20), transferring()), &[1 << 20, 2 << 20], 2), "x: 50% (2.0 MiB of 4.0 MiB), 512.0 KiB/s, 4.0 s left");
        assert_eq!(line(shown(2 << 20, None, transferring()), &[1 << 20, 2 << 20], 2), "x: 2.0 MiB, 512.0 KiB/s");
        assert_eq!(line(shown(2 << 20, None, transferring()), &[1 << 20, 2 << 20], 7), "x: 2.0 MiB, stalled for 5 s");
        assert_eq!(line(shown(0, Some(4), transferring()), &[], 2), "x: 0% (0 B of 4 B)");
        // Nothing moves any more, and nothing should.
        assert_eq!(line(shown(4, Some(4), TransferState::Verifying), &[4], 9), "x: verifying 4 B");
        assert_eq!(line(shown(4, Some(4), transferring()), &[4], 9), "x: 100% (4 B of 4 B)");
        assert_eq!(Shown::new("x".into(), None).line(start), None);
    }

    #[test]
    fn a_line_about_a_tree_counts_its_files_too() {
        let now = Instant::now();
        let line = |files: Files, total: Option<u64>| Shown { files: Some(files), ..shown(4, total, TransferState::Transferring) }.line(now).unwrap();
        assert_eq!(line((1, None), None), "x: 4 B, 1 file");
        assert_eq!(line((1234, None), None), "x: 4 B, 1,234 files");
        assert_eq!(line((1234, Some(10_000)), Some(8)), "x: 50% (4 B of 8 B, 1,234 of 10,000 files)");
    }

    #[test]
    fn files_that_are_compared_are_no_standstill() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut shown = Shown::new("x".into(), None);
        for second in 0..20 {
            shown.note(at(second), 5, None, Some((second, None)), &TransferState::Transferring);
        }
        assert!(!shown.stalled(at(20)));
        assert!(shown.stalled(at(29)));
    }

    #[test]
    fn percent_is_exact_and_never_a_hundred_too_early() {
        assert_eq!([percent(0, 0), percent(999, 1000), percent(1000, 1000), percent(u64::MAX - 1, u64::MAX), percent(2, 1)], [100, 99, 100, 99, 100]);
    }
}
