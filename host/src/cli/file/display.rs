//! How far it is: a bar on a terminal, a line a second elsewhere, an object a line for programs.
//!
//! Bar and lines move by themselves, so that a transfer that stalls is seen to. What they show is in [`Shown`], which is never locked while the terminal is written to.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

use super::rate::Rate;
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::ui::{Ui, aside};
use crate::cli::units::{show_rate, show_size, show_time};
use crate::cli::wire::{Progress, TransferState, TransferSummary};

/// How often a line comes where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// How often one comes that only says that nothing moves.
const STALLED_INTERVAL: Duration = Duration::from_secs(10);
/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(250);
const BAR: &str = "{msg}  {percent:>3}% [{wide_bar}] {binary_bytes} of {binary_total_bytes}  {rate}";
/// How many characters of a name the bar shows.
const NAME_WIDTH: usize = 18;
const SPINNER: &str = "{msg}  {spinner} {binary_bytes}  {rate}";

/// What is shown of one transfer, from its start to its end.
pub(super) struct Display<'a> {
    ui: &'a Ui,
    shown: Arc<Mutex<Shown>>,
    /// What the person calls the file, as it is.
    name: String,
    /// The other node.
    node: String,
    form: Form,
    /// Where the result goes if standard output is taken by the content.
    summary_beside: bool,
}

enum Form {
    Bar(ProgressBar),
    Lines(Option<AbortOnDropHandle<()>>),
    Objects,
    Nothing,
}

/// How far it is.
struct Shown {
    /// What the person calls the file, fit for a terminal.
    name: String,
    done: u64,
    total: Option<u64>,
    /// None: nothing was heard yet.
    state: Option<TransferState>,
    rate: Rate,
    /// It is told of whole segments.
    steps: bool,
}

impl Shown {
    /// The name as the bar shows it: short enough that all else fits into a terminal of 80 columns.
    fn message(&self) -> String {
        let count = self.name.chars().count();
        if count <= NAME_WIDTH {
            return self.name.clone();
        }
        let end = NAME_WIDTH / 2;
        let beginning = NAME_WIDTH - end - 1;
        self.name.chars().take(beginning).chain(['…']).chain(self.name.chars().skip(count - end)).collect()
    }

    /// Whether bytes should move just now.
    fn moves(&self) -> bool {
        matches!(self.state, Some(TransferState::Transferring | TransferState::Restarted(_))) && self.total.is_none_or(|total| self.done < total)
    }

    /// Rate and time left, as far as they mean something.
    fn rate(&self, now: Instant) -> String {
        if matches!(self.state, Some(TransferState::Verifying)) {
            return "verifying".into();
        }
        if self.moves() { self.rate.show(now, self.total.map(|total| total.saturating_sub(self.done)), self.steps) } else { String::new() }
    }

    fn stalled(&self, now: Instant) -> bool {
        self.moves() && !self.steps && self.rate.stalled(now).is_some()
    }

    /// All of it as a line; none before anything was heard.
    fn line(&self, now: Instant) -> Option<String> {
        let (name, done) = (&self.name, show_size(self.done));
        let rate = Some(self.rate(now)).filter(|rate| !rate.is_empty()).map(|rate| format!(", {rate}")).unwrap_or_default();
        Some(match (self.state.as_ref()?, self.total) {
            (TransferState::Starting, _) => format!("{name}: starting"),
            (TransferState::Verifying, _) => format!("{name}: verifying {done}"),
            (_, None) => format!("{name}: {done}{rate}"),
            (_, Some(total)) => format!("{name}: {}% ({done} of {}){rate}", percent(self.done, total), show_size(total)),
        })
    }
}

/// Writes a line now and then.
async fn write_lines(shown: Arc<Mutex<Shown>>) {
    let mut turns = interval_at(Instant::now() + LINE_INTERVAL, LINE_INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stalled_since: Option<Instant> = None;
    loop {
        let now = turns.tick().await;
        let (line, stalled) = {
            let shown = shown.lock();
            (shown.line(now), shown.stalled(now))
        };
        if !stalled {
            stalled_since = None;
        } else if stalled_since.is_some_and(|since| now.duration_since(since) < STALLED_INTERVAL) {
            continue;
        } else {
            stalled_since = Some(now);
        }
        line.inspect(|line| aside(line));
    }
}

impl<'a> Display<'a> {
    pub(super) fn new(ui: &'a Ui, name: &str, node: &str, total: Option<u64>, summary_beside: bool) -> Self {
        let shown = Shown { name: plain(name), done: 0, total, state: None, rate: Rate::default(), steps: false };
        let shown = Arc::new(Mutex::new(shown));
        let form = if ui.json() {
            Form::Objects
        } else if ui.can_draw() {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style(total.is_some(), &shown));
            bar.set_message(plain(name));
            bar.enable_steady_tick(FRAME);
            Form::Bar(bar)
        } else if ui.quiet() {
            Form::Nothing
        } else {
            Form::Lines(Some(AbortOnDropHandle::new(tokio::spawn(write_lines(shown.clone())))))
        };
        Self { ui, shown, name: name.into(), node: node.into(), form, summary_beside }
    }

    /// What is told are whole segments, with long pauses in between.
    pub(super) fn in_steps(self) -> Self {
        self.shown.lock().steps = true;
        self
    }

    pub(super) fn started(&self, id: &str, direction: &str) -> Result<(), CliError> {
        match &self.form {
            Form::Objects => self.ui.object(&json!({"event": "started", "id": id, "direction": direction, "node": self.node, "name": self.name})),
            _ => Ok(()),
        }
    }

    /// Shows how far it is.
    pub(super) fn progress(&mut self, id: &str, done: u64, total: Option<u64>, state: &TransferState) -> Result<(), CliError> {
        let message = {
            let mut shown = self.shown.lock();
            if let TransferState::Restarted(_) = state {
                shown.rate.restart();
            }
            if !matches!(state, TransferState::Starting) {
                shown.rate.note(Instant::now(), done);
            }
            (shown.done, shown.total, shown.state) = (done, total, Some(state.clone()));
            shown.message()
        };
        if let TransferState::Restarted(why) = state {
            self.say(&format!("{}: starting over, because it is not the file of the earlier attempt any more: {}", plain(&self.name), plain(why)));
        }
        match &self.form {
            Form::Bar(bar) => {
                if bar.length() != total {
                    total.inspect(|total| bar.set_length(*total));
                    bar.set_style(style(total.is_some(), &self.shown));
                }
                bar.set_position(done);
                bar.set_message(message);
            }
            Form::Objects => {
                let percent = total.map(|total| percent(done, total));
                let restarted = if let TransferState::Restarted(why) = state { Some(why) } else { None };
                let state = crate::cli::transfer::list::state_name(state);
                let object =
                    json!({"event": "progress", "id": id, "bytes_done": done, "bytes_total": total, "percent": percent, "state": state, "reason": restarted});
                return self.ui.object(&object);
            }
            Form::Lines(_) | Form::Nothing => {}
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
            Form::Lines(_) => self.ui.note(text),
            Form::Objects | Form::Nothing => {}
        }
    }

    /// Takes the bar away: what follows is the end.
    pub(super) fn clear(&mut self) {
        match &mut self.form {
            Form::Bar(bar) => bar.finish_and_clear(),
            Form::Lines(writing) => *writing = None,
            Form::Objects | Form::Nothing => {}
        }
    }

    /// The last line of a transfer that went well. `place` is where the file is now, in the person's words.
    pub(super) fn summary(&mut self, id: &str, summary: &TransferSummary, place: &str) -> Result<(), CliError> {
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

fn style(with_total: bool, shown: &Arc<Mutex<Shown>>) -> ProgressStyle {
    let shown = shown.clone();
    let rate = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Only a text is written to: that does not fail.
        let _ = out.write_str(&shown.lock().rate(Instant::now()));
    };
    ProgressStyle::with_template(if with_total { BAR } else { SPINNER })
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("rate", rate)
}

fn percent(done: u64, total: u64) -> u8 {
    if total == 0 {
        return 100;
    }
    u8::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100).min(100)
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
    fn a_long_name_leaves_room_for_the_rest_and_is_known_by_its_ends() {
        let name = |text: &str| Shown { name: text.into(), ..shown(0, None, TransferState::Starting) }.message();
        assert_eq!(name("eighteen letters.x"), "eighteen letters.x");
        assert_eq!(name("a folder/with a long name.tar.gz"), "a folder…me.tar.gz");
        assert_eq!(name(&"ü".repeat(200)).chars().count(), NAME_WIDTH);
    }

    fn shown(done: u64, total: Option<u64>, state: TransferState) -> Shown {
        Shown { name: "x".into(), done, total, state: Some(state), rate: Rate::default(), steps: false }
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
        assert_eq!(Shown { state: None, ..shown(0, None, transferring()) }.line(start), None);
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
