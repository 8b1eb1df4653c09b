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

use super::shown::{Files, Shown, percent};
use super::summary;
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::ui::{Ui, aside};
use crate::cli::wire::{Progress, TransferState, TransferSummary, TreeSummary};

/// How often a line comes where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// How often one comes that only says that nothing moves.
const STALLED_INTERVAL: Duration = Duration::from_secs(10);
/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(250);
const BAR: &str = "{msg}  {percent:>3}% [{wide_bar}] {binary_bytes} of {binary_total_bytes}  {rate}";
/// Of a tree. Not of how much in all: there would be no room for the bar.
const TREE_BAR: &str = "{msg}  {percent:>3}% [{wide_bar}] {binary_bytes}{files}  {rate}";
/// While it is not known how much there is in all.
const SPINNER: &str = "{msg}  {spinner} {binary_bytes}{files}  {rate}";

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
        let shown = Arc::new(Mutex::new(Shown::new(plain(name), total)));
        let form = if ui.json() {
            Form::Objects
        } else if ui.can_draw() {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style(total.is_some(), false, &shown));
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

    /// Shows how far a file is.
    pub(super) fn progress(&mut self, id: &str, done: u64, total: Option<u64>, state: &TransferState) -> Result<(), CliError> {
        self.show(id, done, total, None, state)
    }

    /// Shows what a notice of the worker says.
    pub(super) fn notice(&mut self, progress: &Progress) -> Result<(), CliError> {
        let files = progress.files_done.map(|done| (done, progress.files_total));
        self.show(&progress.id, progress.bytes_done, progress.bytes_total, files, &progress.state)
    }

    fn show(&mut self, id: &str, done: u64, total: Option<u64>, files: Option<Files>, state: &TransferState) -> Result<(), CliError> {
        let (message, were_files) = {
            let mut shown = self.shown.lock();
            let were_files = shown.files.is_some();
            shown.note(Instant::now(), done, total, files, state);
            (shown.message(), were_files)
        };
        if let TransferState::Restarted(why) = state {
            self.say(&format!("{}: starting over, because it is not the file of the earlier attempt any more: {}", plain(&self.name), plain(why)));
        }
        match &self.form {
            Form::Bar(bar) => {
                if bar.length() != total || files.is_some() != were_files {
                    total.inspect(|total| bar.set_length(*total));
                    bar.set_style(style(total.is_some(), files.is_some(), &self.shown));
                }
                bar.set_position(done);
                bar.set_message(message);
            }
            Form::Objects => {
                let percent = total.map(|total| percent(done, total));
                let restarted = if let TransferState::Restarted(why) = state { Some(why) } else { None };
                let state = crate::cli::transfer::list::state_name(state);
                let mut object =
                    json!({"event": "progress", "id": id, "bytes_done": done, "bytes_total": total, "percent": percent, "state": state, "reason": restarted});
                if let (Some((done, total)), Some(fields)) = (files, object.as_object_mut()) {
                    fields.extend([("files_done".to_owned(), json!(done)), ("files_total".to_owned(), json!(total))]);
                }
                return self.ui.object(&object);
            }
            Form::Lines(_) | Form::Nothing => {}
        }
        Ok(())
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
        let line = summary::file_line(summary, place);
        if self.summary_beside {
            self.ui.note(&line);
            return Ok(());
        }
        self.ui.done(&summary::object(id, &self.node, summary, place), &line)
    }

    /// The last lines of a tree. It is an error if some of it failed, of which the person has been told. `log` says where all failures are to be found.
    pub(super) fn tree_summary(&mut self, id: &str, done: (&TransferSummary, &TreeSummary), place: &str, dry_run: bool, log: &str) -> Result<(), CliError> {
        self.clear();
        let (summary, tree) = done;
        let mut object = summary::object(id, &self.node, summary, place);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("tree".into(), summary::tree_object(tree, &self.node, dry_run));
        }
        self.ui.done(&object, &summary::tree_line(summary, tree, place, dry_run))?;
        summary::failures(tree, &self.node, log).iter().for_each(|line| aside(line));
        let Some(mut error) = summary::incomplete(tree, dry_run) else { return Ok(()) };
        // Programs have it in the last object.
        aside(&error.to_string());
        error.told = true;
        Err(error)
    }
}

/// A command that fails leaves no bar behind.
impl Drop for Display<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(with_total: bool, tree: bool, shown: &Arc<Mutex<Shown>>) -> ProgressStyle {
    let (shown, counted) = (shown.clone(), shown.clone());
    let rate = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Only a text is written to: that does not fail.
        let _ = out.write_str(&shown.lock().rate(Instant::now()));
    };
    let files = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = out.write_str(&counted.lock().count());
    };
    let template = match (with_total, tree) {
        (false, _) => SPINNER,
        (true, false) => BAR,
        (true, true) => TREE_BAR,
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("rate", rate)
        .with_key("files", files)
}
