//! Messages and spawns, timed inside a process (the package `stopwatch`): nothing of a command is in the figures.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use transship::package::Package;
use transship_tests::machine::memory;
use transship_tests::{Home, package};

use super::Table;
use crate::Settings;
use crate::nodes::{Node, acquaint};
use crate::report::{Row, Unit, percentile, rounded};

/// How often each is done in a round.
const ASKED: u32 = 5_000;
const SPAWNED: u32 = 500;
/// Processes that live at a time.
const CROWD: u32 = 10_000;
/// How long all of a round may take, as the command reads it.
const PATIENCE: &str = "170s";

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let stopwatch = Package::read(&packed()?)?;
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let node = |name: &str| {
        let home = Home::new_in(work.path(), name);
        package::install(&home, &stopwatch);
        // The crowd, and those that are there anyway.
        home.configure(&format!("[limits]\nprocesses = {}\nchildren = {}", CROWD + 100, CROWD + 100));
        Node::serve(home, &[])
    };
    let (alice, bob) = (node("alice"), node("bob"));
    acquaint(&alice, &bob);

    let asked = |node: &str| json!({"ask": {"target": format!("{node}@echo:stopwatch:test"), "count": ASKED}});
    let jobs = [
        ("request and response, two processes of one node", asked("alice")),
        ("request and response, two nodes over loopback", asked("bob")),
        ("spawn to first message", json!({"spawn": {"count": SPAWNED}})),
    ];
    let mut table =
        Table::new(format!("messages: 16 bytes, {ASKED} in a round ({SPAWNED} spawns), p50 of each of {} rounds", settings.runs), Unit::Microseconds);
    let mut high: Vec<Vec<f64>> = vec![Vec::new(); jobs.len()];
    table.rows = jobs.iter().map(|(name, _)| Row { name: (*name).into(), samples: Vec::new(), synced: Vec::new() }).collect();
    // Once for the caches.
    for (_, job) in &jobs {
        measure(&alice.home, job)?;
    }
    for round in 0..settings.runs {
        for (((name, job), row), high) in jobs.iter().zip(&mut table.rows).zip(&mut high) {
            let times = measure(&alice.home, job)?;
            let (p50, p99) = (percentile(&times, 50.0), percentile(&times, 99.0));
            eprintln!("round {} of {}: {name:<50} p50 {p50:>8.1} us, p99 {p99:>8.1} us", round + 1, settings.runs);
            row.samples.push(p50);
            high.push(p99);
        }
    }
    for ((name, _), high) in jobs.iter().zip(&high) {
        table.fact(format!("{name}: p99, us, median of the rounds"), rounded(percentile(high, 50.0)));
    }
    Ok(vec![table, crowd(&alice)?])
}

/// Ten thousand processes that live and wait.
fn crowd(node: &Node) -> anyhow::Result<Table> {
    let before = memory(node.serving.pid(), "VmRSS");
    let times = measure(&node.home, &json!({"populate": {"count": CROWD}}))?;
    let after = memory(node.serving.pid(), "VmRSS");
    let shared_once = proportional(node.serving.pid())?;
    let alive = node.home.processes().len();
    if alive < CROWD as usize {
        bail!("{alive} processes live, and not {CROWD}");
    }
    let mut table = Table::new(format!("messages: {CROWD} live processes, started one after another, each heard before the next"), Unit::Seconds);
    table.rows.push(Row { name: "all of them".into(), samples: vec![times.iter().sum::<f64>() / 1e6], synced: Vec::new() });
    table.fact("p50 of one, us", rounded(percentile(&times, 50.0)));
    table.fact("p99 of one, us", rounded(percentile(&times, 99.0)));
    table.fact("resident before, MiB", before >> 20);
    table.fact("resident with them, MiB", after >> 20);
    table.fact("the same with pages that processes share counted once (Pss), MiB", shared_once >> 20);
    table.fact("more for each, KiB", rounded((after.saturating_sub(before)) as f64 / 1024.0 / f64::from(CROWD)));
    Ok(table)
}

/// The memory of a system process in bytes, of pages that are mapped several times only its part.
fn proportional(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("the system does not say")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// Has a process measure; returns microseconds.
fn measure(home: &Home, job: &Value) -> anyhow::Result<Vec<f64>> {
    let target = format!("{}@main:stopwatch:test", home.name());
    let said = home.run(["message", &target, &job.to_string(), "--timeout", PATIENCE]).ok().stdout;
    let answer: Value = serde_json::from_str(said.trim())?;
    let times: Vec<u64> = serde_json::from_value(answer.clone()).with_context(|| answer.to_string())?;
    Ok(times.into_iter().map(|nanoseconds| nanoseconds as f64 / 1e3).collect())
}

/// The packed package, built by `just components`.
fn packed() -> anyhow::Result<PathBuf> {
    let path = package::puppet().with_file_name("stopwatch.transship");
    if path.exists() { Ok(path) } else { bail!("{} is missing: run `just components`", path.display()) }
}
