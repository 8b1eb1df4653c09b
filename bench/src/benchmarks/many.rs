//! Many transfers at once between two nodes: the same bytes in more and more files.
//!
//! They are asked for by one client of the receiving node, all at once; its node runs some of them at a time, and the others when their turn comes. Should the other node say that it is busy, one is asked for again
//! when another has ended.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use transship::control::ControlClient;
use transship::home::Home;
use transship::message::{Address, Content};
use transship_tests::{differ, random_file};

use super::Table;
use crate::Settings;
use crate::machine::warm_memory;
use crate::nodes::{Node, acquaint};
use crate::report::{Row, Unit, median, rounded};

/// How many at once.
const COUNTS: [u64; 4] = [1, 8, 64, 1_000];
/// How long the manager may take to say that it has begun.
const ANSWER: Duration = Duration::from_secs(60);
/// How long nothing may end before it is given up.
const SILENCE: Duration = Duration::from_secs(120);

/// What one round found.
struct Round {
    time: Duration,
    /// The longest transfer as a multiple of the shortest.
    spread: f64,
    /// How often one had to be asked for again.
    busy: u64,
}

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let (alice, bob) = (Node::start(work.path(), "alice", &[]), Node::start(work.path(), "bob", &[]));
    acquaint(&alice, &bob);
    let counts: Vec<u64> = COUNTS.into_iter().filter(|count| settings.wants(&row_name(*count))).collect();
    for &count in &counts {
        for number in 0..count {
            random_file(&bob.home.file(&name(count, number)), settings.size().bytes() / count);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table =
        Table::new(format!("many: {} in 1, 8, 64 and 1,000 transfers at once, blake3, median of {}", settings.size(), settings.runs), Unit::Seconds);
    table.bytes = Some(settings.size().bytes());
    table.rows = counts.iter().map(|&count| Row { name: row_name(count), samples: Vec::new(), synced: Vec::new() }).collect();
    let mut spreads: HashMap<u64, (Vec<f64>, u64)> = HashMap::new();
    for round in 0..settings.runs {
        for (&count, row) in counts.iter().zip(&mut table.rows) {
            let folder = format!("{round}-{count}");
            warm_memory(settings.size().bytes());
            let found = runtime.block_on(fetch(&alice, count, &folder))?;
            eprintln!(
                "round {} of {}: {count:>5} at once {:>8.3} s, longest / shortest {:.2}",
                round + 1,
                settings.runs,
                found.time.as_secs_f64(),
                found.spread
            );
            row.samples.push(found.time.as_secs_f64());
            let (spread, busy) = spreads.entry(count).or_default();
            spread.push(found.spread);
            *busy += found.busy;
            for number in 0..count {
                let (from, to) = (bob.home.file(&name(count, number)), alice.home.file(&folder).join(number.to_string()));
                if let Some(how) = differ(&from, &to) {
                    bail!("{how}");
                }
            }
        }
    }
    for &count in &counts {
        let (spread, busy) = spreads.remove(&count).unwrap_or_default();
        table.fact(format!("{count} at once: the longest transfer, times the shortest"), rounded(median(&spread)));
        if busy > 0 {
            table.fact(format!("{count} at once: told to come again later, in all rounds"), busy);
        }
    }
    if let Some(share) = table.ratio("1 at once", "1000 at once") {
        table.fact("throughput of 1,000 at once, of that of one", rounded(share));
    }
    table.fact("memory of the sender", bob.memory());
    table.fact("memory of the receiver", alice.memory());
    Ok(vec![table])
}

fn row_name(count: u64) -> String {
    format!("{count} at once")
}

fn name(count: u64, number: u64) -> String {
    format!("of {count}/{number}")
}

/// Fetches so many files at once into a folder of the receiver's own drive.
async fn fetch(receiver: &Node, count: u64, folder: &str) -> anyhow::Result<Round> {
    let home = Home::open(receiver.home.path())?;
    let client = ControlClient::connect(&home).await?;
    let manager: Address = format!("{}@manager:file-transfer:transship", receiver.home.name()).parse()?;
    let (ended, mut ends) = mpsc::unbounded_channel();
    let reports = client.clone();
    let reading = tokio::spawn(async move {
        while let Some(incoming) = reports.incoming().await {
            let report: Option<Value> = serde_json::from_slice(&incoming.content.body).ok();
            incoming.respond("\"progress\"").await;
            if let Some(end) = report.and_then(end_of)
                && ended.send(end).is_err()
            {
                return;
            }
        }
    });
    let begun = Instant::now();
    let mut wanted: VecDeque<u64> = (0..count).collect();
    let mut running: HashMap<String, (u64, Instant)> = HashMap::new();
    let (mut times, mut busy, mut all_asked) = (Vec::new(), 0, false);
    while times.len() < count as usize {
        // All at first; afterwards one for each that has ended.
        while let Some(number) = if all_asked && !running.is_empty() { None } else { wanted.pop_front() } {
            let asked = Instant::now();
            running.insert(ask(&client, &manager, count, number, folder).await?, (number, asked));
        }
        all_asked = true;
        let (id, outcome) = tokio::time::timeout(SILENCE, ends.recv()).await.context("no transfer ends any more")?.context("the node ended")?;
        let Some((number, asked)) = running.remove(&id) else { continue };
        match outcome {
            Ok(()) => {
                times.push(asked.elapsed().as_secs_f64());
                if let Some(number) = wanted.pop_front() {
                    let asked = Instant::now();
                    running.insert(ask(&client, &manager, count, number, folder).await?, (number, asked));
                }
            }
            Err(error) if error.get("busy").is_some() => {
                busy += 1;
                wanted.push_back(number);
            }
            Err(error) => bail!("transfer {number} of {count} failed: {error}"),
        }
    }
    let time = begun.elapsed();
    reading.abort();
    let (least, most) = times.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), &time| (least.min(time), most.max(time)));
    Ok(Round { time, spread: most / least, busy })
}

/// Asks for one file; returns the transfer's id.
async fn ask(client: &ControlClient, manager: &Address, count: u64, number: u64, folder: &str) -> anyhow::Result<String> {
    let to = json!({"drive": null, "name": format!("{folder}/{number}")});
    let request = json!({"get": {"node": "bob", "name": name(count, number), "to": to, "options": {"digest": "blake3"}}});
    let content = Content { body: request.to_string().into(), ..Content::default() };
    let (_, answer) = client.request(manager, content, ANSWER, &[]).await?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    Ok(answer.get("started").and_then(Value::as_str).with_context(|| format!("the manager answered {answer}"))?.to_owned())
}

/// The id of the transfer that a report says has ended, and how.
fn end_of(report: Value) -> Option<(String, Result<(), Value>)> {
    let progress = report.get("progress")?;
    let id = progress.get("id")?.as_str()?.to_owned();
    let state = progress.get("state")?;
    if state.get("done").is_some() {
        return Some((id, Ok(())));
    }
    Some((id, Err(state.get("failed")?.clone())))
}
