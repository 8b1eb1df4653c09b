//! How far it is: a bar on a terminal, a line a second elsewhere, an object a line for programs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::time::Instant;

use crate::cli::error::CliError;
use crate::cli::ui::{Ui, plain};
use crate::cli::units::{show_rate, show_size, show_time};
use crate::cli::wire::{Progress, TransferState, TransferSummary};

/// How often a line comes where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
const BAR: &str = "{msg}  {percent:>3}% [{bar:30}] {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
const SPINNER: &str = "{msg}  {spinner} {binary_bytes}  {binary_bytes_per_sec}";

/// What is shown of one transfer, from its start to its end.
pub(super) struct Display<'a> {
    ui: &'a Ui,
    /// What the person calls the file, fit for a terminal.
    shown: String,
    /// The same as it is.
    name: String,
    /// The other node.
    node: String,
    form: Form,
    /// When the first byte of this attempt had moved, and how many there were: the rest gives the rate.
    first: Option<(Instant, u64)>,
    /// Where the result goes if standard output is taken by the content.
    summary_beside: bool,
}

enum Form {
    Bar(ProgressBar),
    Lines { last: Instant },
    Objects,
    Nothing,
}

impl<'a> Display<'a> {
    pub(super) fn new(ui: &'a Ui, name: &str, node: &str, total: Option<u64>, summary_beside: bool) -> Self {
        let shown = plain(name);
        let form = if ui.json() {
            Form::Objects
        } else if ui.can_draw() {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style(total.is_some()));
            bar.set_message(shown.clone());
            Form::Bar(bar)
        } else if ui.quiet() {
            Form::Nothing
        } else {
            Form::Lines { last: Instant::now() }
        };
        Self { ui, shown, name: name.into(), node: node.into(), form, first: None, summary_beside }
    }

    pub(super) fn started(&self, id: &str, direction: &str) -> Result<(), CliError> {
        match &self.form {
            Form::Objects => self.ui.object(&json!({"event": "started", "id": id, "direction": direction, "node": self.node, "name": self.name})),
            _ => Ok(()),
        }
    }

    /// Shows how far it is.
    pub(super) fn progress(&mut self, id: &str, done: u64, total: Option<u64>, state: &TransferState) -> Result<(), CliError> {
        let now = Instant::now();
        let (begun, before) = *self.first.get_or_insert((now, done));
        if let TransferState::Restarted(why) = state {
            self.first = None;
            self.say(&format!("{}: starting over, because it is not the file of the earlier attempt any more: {}", self.shown, plain(why)));
        }
        match &mut self.form {
            Form::Bar(bar) => {
                if bar.length() != total {
                    total.inspect(|total| bar.set_length(*total));
                    bar.set_style(style(total.is_some()));
                    bar.set_position(done);
                    // What was there already has not moved at the rate of this attempt.
                    bar.reset_eta();
                }
                bar.set_position(done);
                let verifying = matches!(state, TransferState::Verifying);
                bar.set_message(if verifying { format!("{} (verifying)", self.shown) } else { self.shown.clone() });
            }
            Form::Lines { last } if now.duration_since(*last) >= LINE_INTERVAL => {
                *last = now;
                let line = line(&self.shown, done, total, done.saturating_sub(before), now.duration_since(begun), state);
                self.ui.note(&line);
            }
            Form::Objects => {
                let percent = total.map(|total| percent(done, total));
                let restarted = if let TransferState::Restarted(why) = state { Some(why) } else { None };
                let state = crate::cli::transfer::list::state_name(state);
                let object =
                    json!({"event": "progress", "id": id, "bytes_done": done, "bytes_total": total, "percent": percent, "state": state, "reason": restarted});
                return self.ui.object(&object);
            }
            Form::Lines { .. } | Form::Nothing => {}
        }
        Ok(())
    }

    /// Shows what a notice of the worker says.
    pub(super) fn notice(&mut self, progress: &Progress) -> Result<(), CliError> {
        self.progress(&progress.id, progress.bytes_done, progress.bytes_total, &progress.state)
    }

    /// Says something beside the progress.
    pub(super) fn say(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| self.ui.note(text)),
            Form::Lines { .. } => self.ui.note(text),
            Form::Objects | Form::Nothing => {}
        }
    }

    /// Takes the bar away: what follows is the end.
    pub(super) fn clear(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }

    /// The last line of a transfer that went well. `place` is where the file is now, in the person's words.
    pub(super) fn summary(&self, id: &str, summary: &TransferSummary, place: &str) -> Result<(), CliError> {
        self.clear();
        let object = json!({
            "event": "done", "id": id, "node": self.node, "name": summary.name, "place": place, "size": summary.size, "algorithm": summary.algorithm, "digest": summary.digest,
            "resumed": summary.resumed, "skipped": summary.skipped, "elapsed_ms": summary.elapsed,
        });
        if self.summary_beside {
            self.ui.note(&summary_line(summary, place));
            return Ok(());
        }
        self.ui.done(&object, &summary_line(summary, place))
    }
}

/// A command that fails leaves no bar behind.
impl Drop for Display<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(with_total: bool) -> ProgressStyle {
    ProgressStyle::with_template(if with_total { BAR } else { SPINNER }).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn percent(done: u64, total: u64) -> u8 {
    if total == 0 {
        return 100;
    }
    u8::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100).min(100)
}

fn line(name: &str, done: u64, total: Option<u64>, moved: u64, time: Duration, state: &TransferState) -> String {
    let rate = show_rate(moved, time);
    match (state, total) {
        (TransferState::Starting, _) => format!("{name}: starting"),
        (TransferState::Verifying, _) => format!("{name}: verifying {}", show_size(done)),
        (_, None) => format!("{name}: {}, {rate}", show_size(done)),
        (_, Some(total)) => {
            let left = match moved {
                0 => String::new(),
                moved => format!(", {} left", show_time(time.mul_f64(total.saturating_sub(done) as f64 / moved as f64))),
            };
            format!("{name}: {}% ({} of {}), {rate}{left}", percent(done, total), show_size(done), show_size(total))
        }
    }
}

fn summary_line(summary: &TransferSummary, place: &str) -> String {
    let place = plain(place);
    if summary.skipped {
        return format!("{place}: left as it is, because something of that name is there");
    }
    let time = Duration::from_millis(summary.elapsed);
    let moved = summary.size.saturating_sub(summary.resumed);
    let resumed = match summary.resumed {
        0 => String::new(),
        bytes => format!(", {} were there already", show_size(bytes)),
    };
    let algorithm = format!("{:?}", summary.algorithm).to_lowercase();
    format!("{place}: {} in {} ({}){resumed}, {algorithm} {}", show_size(summary.size), show_time(time), show_rate(moved, time), summary.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wire::DigestAlgorithm;

    #[test]
    fn a_line_says_percent_bytes_rate_and_time_left() {
        let two = Duration::from_secs(2);
        assert_eq!(line("x", 1 << 20, Some(4 << 20), 1 << 20, two, &TransferState::Transferring), "x: 25% (1.0 MiB of 4.0 MiB), 512.0 KiB/s, 6.0 s left");
        assert_eq!(line("x", 1 << 20, None, 1 << 20, two, &TransferState::Transferring), "x: 1.0 MiB, 512.0 KiB/s");
        assert_eq!(line("x", 0, Some(4), 0, two, &TransferState::Transferring), "x: 0% (0 B of 4 B), 0 B/s");
        assert_eq!(line("x", 4, Some(4), 0, two, &TransferState::Verifying), "x: verifying 4 B");
    }

    #[test]
    fn percent_is_exact_and_never_a_hundred_too_early() {
        assert_eq!([percent(0, 0), percent(999, 1000), percent(1000, 1000), percent(u64::MAX - 1, u64::MAX), percent(2, 1)], [100, 99, 100, 99, 100]);
    }

    #[test]
    fn the_summary_says_what_is_there_and_what_was_there_already() {
        let mut summary = TransferSummary {
            name: "x".into(),
            size: 4 << 20,
            algorithm: DigestAlgorithm::Sha256,
            digest: "ab".into(),
            resumed: 1 << 20,
            skipped: false,
            elapsed: 1500,
        };
        assert_eq!(summary_line(&summary, "x"), "x: 4.0 MiB in 1.5 s (2.0 MiB/s), 1.0 MiB were there already, sha256 ab");
        summary.skipped = true;
        assert_eq!(summary_line(&summary, "x"), "x: left as it is, because something of that name is there");
    }
}
