//! What is said at the end of a transfer that went well, or of a tree of which most did.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Kind};
use crate::cli::text::plain;
use crate::cli::units::{show_count, show_rate, show_size, show_time};
use crate::cli::wire::{TransferError, TransferSummary, TreeSummary};

/// How many failures are told one by one: as many as come with a summary.
const FAILURES: usize = 100;

/// A file that is there now.
pub(super) fn file_line(summary: &TransferSummary, place: &str) -> String {
    let place = plain(place);
    if summary.skipped {
        return format!("{place}: left as it is, because something of that name is there");
    }
    let time = Duration::from_millis(summary.elapsed);
    let moved = summary.size.saturating_sub(summary.resumed);
    let algorithm = format!("{:?}", summary.algorithm).to_lowercase();
    format!("{place}: {} in {} ({}){}, {algorithm} {}", show_size(summary.size), show_time(time), show_rate(moved, time), resumed(summary), summary.digest)
}

fn resumed(summary: &TransferSummary) -> String {
    if summary.resumed == 0 { String::new() } else { format!(", {} were there already", show_size(summary.resumed)) }
}

/// A folder that is there now, or would be.
pub(super) fn tree_line(summary: &TransferSummary, tree: &TreeSummary, place: &str, dry_run: bool) -> String {
    let place = plain(place);
    let words = [(tree.new, "new"), (tree.changed, "changed"), (tree.unchanged, "unchanged"), (tree.skipped, "skipped"), (tree.failed, "failed")];
    let counts = words.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{} {word}", show_count(count, "")));
    let made = [(tree.folders, "folder"), (tree.links, "link")];
    let made = made.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{} made", show_count(count, word)));
    let parts: Vec<String> = counts.chain(made).collect();
    let parts = if parts.is_empty() { "nothing in it".to_owned() } else { parts.join(", ") };
    if dry_run {
        let size = if summary.size > 0 { format!(" ({} to move)", show_size(summary.size)) } else { String::new() };
        return format!("{place}: would be {parts}{size}");
    }
    let time = Duration::from_millis(summary.elapsed);
    let moved = match summary.size.saturating_sub(summary.resumed) {
        0 => String::new(),
        moved => format!(" ({}, {})", show_size(summary.size), show_rate(moved, time)),
    };
    let files = show_count(tree.new + tree.changed + tree.unchanged, "file");
    format!("{place}: {files} in {}{moved}{}: {parts}", show_time(time), resumed(summary))
}

/// The end of any transfer, for programs.
pub(super) fn object(id: &str, node: &str, summary: &TransferSummary, place: &str) -> Value {
    json!({
        "event": "done", "id": id, "node": node, "name": summary.name, "place": place, "size": summary.size, "algorithm": summary.algorithm, "digest": summary.digest,
        "resumed": summary.resumed, "skipped": summary.skipped, "elapsed_ms": summary.elapsed,
    })
}

/// What became of a tree, for programs.
pub(super) fn tree_object(tree: &TreeSummary, node: &str, dry_run: bool) -> Value {
    let failure = |name: &str, error: &TransferError| {
        let error = CliError::transfer(error, node);
        json!({"name": name, "error": error.name, "message": error.message})
    };
    json!({
        "dry_run": dry_run, "new": tree.new, "changed": tree.changed, "unchanged": tree.unchanged, "skipped": tree.skipped, "failed": tree.failed,
        "folders": tree.folders, "links": tree.links,
        "failures": tree.failures.iter().map(|failed| failure(&failed.name, &failed.error)).collect::<Vec<_>>(),
    })
}

/// What of a tree failed, a line each. `log` says where the others are.
pub(super) fn failures(tree: &TreeSummary, node: &str, log: &str) -> Vec<String> {
    let shown = tree.failures.iter().take(FAILURES);
    let mut lines: Vec<String> = shown.map(|failed| plain(&format!("{}: {}", failed.name, CliError::transfer(&failed.error, node).message))).collect();
    match tree.failed.saturating_sub(lines.len() as u64) {
        0 => {}
        more => lines.push(format!("and {} more: {log}", show_count(more, ""))),
    }
    lines
}

/// What it means for the command that some of a tree failed.
pub(super) fn incomplete(tree: &TreeSummary, dry_run: bool) -> Option<CliError> {
    if tree.failed == 0 {
        return None;
    }
    let failed = show_count(tree.failed, "");
    let message = if dry_run { format!("{failed} would fail") } else { format!("{failed} failed; all the others are there") };
    let taken = tree.failures.iter().all(|failed| matches!(failed.error, TransferError::Conflict(_)));
    let hint =
        if taken { "choose with --on-conflict overwrite, newer, rename or skip" } else { "the same command again moves what is lacking, and nothing else" };
    Some(CliError::new(Kind::Incomplete, message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wire::{DigestAlgorithm, TreeFailure};

    fn summary(size: u64, resumed: u64, tree: Option<TreeSummary>) -> TransferSummary {
        let (name, digest) = ("x".to_owned(), if tree.is_some() { String::new() } else { "ab".into() });
        TransferSummary { name, size, algorithm: DigestAlgorithm::Sha256, digest, resumed, skipped: false, elapsed: 1500, tree }
    }

    #[test]
    fn the_summary_says_what_is_there_and_what_was_there_already() {
        let mut summary = summary(4 << 20, 1 << 20, None);
        assert_eq!(file_line(&summary, "x"), "x: 4.0 MiB in 1.5 s (2.0 MiB/s), 1.0 MiB were there already, sha256 ab");
        summary.skipped = true;
        assert_eq!(file_line(&summary, "x"), "x: left as it is, because something of that name is there");
    }

    #[test]
    fn the_summary_of_a_tree_has_only_the_parts_that_are_not_zero() {
        let line = |tree: TreeSummary, size: u64, dry_run: bool| tree_line(&summary(size, 0, Some(tree.clone())), &tree, "photos", dry_run);
        let some = TreeSummary { new: 9998, changed: 1, unchanged: 1, ..TreeSummary::default() };
        assert_eq!(line(some.clone(), 3 << 20, false), "photos: 10,000 files in 1.5 s (3.0 MiB, 2.0 MiB/s): 9,998 new, 1 changed, 1 unchanged");
        assert_eq!(line(some, 3 << 20, true), "photos: would be 9,998 new, 1 changed, 1 unchanged (3.0 MiB to move)");
        let all = TreeSummary { new: 1, skipped: 2, failed: 3, folders: 1, links: 2, ..TreeSummary::default() };
        assert_eq!(line(all, 0, false), "photos: 1 file in 1.5 s: 1 new, 2 skipped, 3 failed, 1 folder made, 2 links made");
        assert_eq!(line(TreeSummary { unchanged: 10_000, ..TreeSummary::default() }, 0, false), "photos: 10,000 files in 1.5 s: 10,000 unchanged");
        assert_eq!(line(TreeSummary::default(), 0, false), "photos: 0 files in 1.5 s: nothing in it");
    }

    #[test]
    fn each_failure_is_a_line_and_what_is_too_much_is_elsewhere() {
        let failure = |number: u64| TreeFailure { name: format!("a/{number}\n"), error: TransferError::Conflict(format!("a/{number}\n")) };
        let tree = TreeSummary { failed: 1250, failures: (0..100).map(failure).collect(), ..TreeSummary::default() };
        let lines = failures(&tree, "bob", "`transship log` has them");
        assert_eq!(lines.len(), 101);
        assert_eq!(lines[0], "a/0\u{fffd}: there is something named 'a/0\u{fffd}' already");
        assert_eq!(lines[100], "and 1,150 more: `transship log` has them");
        let error = incomplete(&tree, false).unwrap();
        assert_eq!((error.kind.code(), error.message.as_str()), (23, "1,250 failed; all the others are there"));
        assert!(error.hint.unwrap().contains("--on-conflict"));
        assert_eq!(incomplete(&TreeSummary::default(), false), None);
    }
}
