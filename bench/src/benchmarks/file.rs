//! One large file from file to file over loopback.
//!
//! Those that only copy do it as they do; how long it then takes until their copy is on the disk is in a column of its own. What transship and the floor report is on the disk already, those rows aside
//! that say otherwise: for them the calls that wait for the disk are made to do nothing (`eatmydata`).

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use transship_tests::{differ, random_file};

use super::Table;
use crate::Settings;
use crate::contest::{Contest, Contestant, Then};
use crate::floor::{self, Digest};
use crate::machine::{Server, Size, program, timed};
use crate::nodes::{Node, acquaint, offer};
use crate::report::{Unit, ratio, rounded};
use crate::rivals::{Place, Rivals};

const NAME: &str = "file.bin";
/// What transship is called with, and the digest with which the floor does the same.
const OURS: [(&str, &str, Digest); 2] = [("transship", "sha256", Digest::Sha256), ("transship blake3", "blake3", Digest::Blake3)];
const UNSYNCED: &str = ", no sync";
const OTHER: &str = ", the other build";

/// The floor that does the same as one of ours.
fn floor_of(digest: Digest) -> &'static str {
    match digest {
        Digest::None => "floor, socket copy (plain)",
        Digest::Sha256 => "floor",
        Digest::Blake3 => "floor blake3",
    }
}

/// What the file has, in MiB, unless somebody chooses.
const SIZES: [u64; 2] = [1 << 10, 4 << 10];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let sizes = settings.size.map_or_else(|| SIZES.map(Size::mib).to_vec(), |size| vec![size]);
    sizes.into_iter().map(|size| of_size(settings, size)).collect()
}

fn of_size(settings: &Settings, size: Size) -> anyhow::Result<Table> {
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let served = work.path().join("served");
    std::fs::create_dir(&served)?;
    let source = served.join(NAME);
    random_file(&source, size.bytes());
    crate::machine::sync(&source)?;

    let bob = Node::start(work.path(), "bob", &[]);
    offer(&bob, &source)?;
    let alice = Node::start(work.path(), "alice", &[]);
    acquaint(&alice, &bob);
    let carol = match program("eatmydata") {
        Some(_) => {
            let carol = Node::start(work.path(), "carol", &["eatmydata"]);
            acquaint(&carol, &bob);
            Some(carol)
        }
        None => None,
    };
    // Both sides are of the other build.
    let other = settings.against.as_ref().map(|binary| (Node::of(binary, work.path(), "alice"), Node::of(binary, work.path(), "bob")));
    if let Some((alice, bob)) = &other {
        offer(bob, &source)?;
        acquaint(alice, bob);
    }
    let rivals = Rivals::start(Place::loopback(), &served, work.path(), |name| settings.wants(name));
    let floors = Floors::start(&source)?;

    let mut contestants = Vec::new();
    for (name, digest, _) in OURS {
        for (receiver, suffix) in [(Some(&alice), ""), (carol.as_ref(), UNSYNCED), (other.as_ref().map(|(alice, _)| alice), OTHER)] {
            if let Some(receiver) = receiver {
                contestants.push((format!("{name}{suffix}"), Box::new(move |to: &Path| get(receiver, digest, to)) as Box<dyn Fn(&Path) -> anyhow::Result<_>>));
            }
        }
    }
    for digest in [Digest::Sha256, Digest::Blake3] {
        for synced in [true, false] {
            let suffix = if synced { "" } else { UNSYNCED };
            let floors = &floors;
            contestants.push((format!("{}{suffix}", floor_of(digest)), Box::new(move |to: &Path| timed(&mut floors.get(digest, synced, to)?))));
        }
    }
    contestants.push((floor_of(Digest::None).into(), Box::new(|to: &Path| timed(&mut floors.get(Digest::None, false, to)?))));
    for rival in &rivals.there {
        contestants.push((rival.name.into(), Box::new(move |to: &Path| timed(&mut rival.fetch(NAME, to)))));
    }
    let contestants: Vec<_> = contestants.into_iter().filter(|(name, _)| settings.wants(name)).map(|(name, run)| Contestant::new(name, run)).collect();

    let results = work.path().join("results");
    std::fs::create_dir(&results)?;
    let contest = Contest { settings, folder: &results, bytes: size.bytes(), then: Then::Remove };
    let rows = contest.run(contestants, |folder| match differ(&source, &folder.join(NAME)) {
        None => Ok(()),
        Some(how) => bail!("{how}"),
    })?;

    let mut table = Table::new(format!("file: {} of random bytes over loopback, median of {}", size, settings.runs), Unit::Seconds);
    table.bytes = Some(size.bytes());
    table.rows = rows;
    table.absent = rivals.absent.clone();
    if carol.is_none() {
        table.absent.push(("transship, no sync".into(), "eatmydata is not installed".into()));
    }
    facts(&mut table);
    table.fact("memory of the sender", bob.memory());
    table.fact("memory of the receiver", alice.memory());
    if let Some((alice, bob)) = &other {
        table.fact("memory of the other build's sender", bob.memory());
        table.fact("memory of the other build's receiver", alice.memory());
    }
    Ok(table)
}

/// How close transship comes to the floor, what waiting for the disk costs, and how it does against each of the others.
fn facts(table: &mut Table) {
    for (name, _, digest) in OURS {
        for suffix in ["", UNSYNCED] {
            if let Some(share) = table.ratio(&format!("{}{suffix}", floor_of(digest)), &format!("{name}{suffix}")) {
                table.fact(format!("throughput of {name}{suffix}, of the floor's"), rounded(share));
            }
        }
        if let Some(times) = table.ratio(&format!("{name}{OTHER}"), name) {
            table.fact(format!("{name}: throughput, times that of the other build"), rounded(times));
        }
        if let Some(share) = table.ratio(&format!("{name}{UNSYNCED}"), name) {
            table.fact(format!("throughput of {name}, of the same without sync"), rounded(share));
        }
        let others: Vec<(String, f64)> = table
            .rows
            .iter()
            .filter(|row| !row.name.starts_with("transship") && !row.name.starts_with("floor"))
            .filter_map(|row| Some((row.name.clone(), ratio(&row.samples, &table.row(name)?.samples)?)))
            .collect();
        if !others.is_empty() {
            table.fact(
                format!("throughput of {name}, times that of"),
                others.into_iter().map(|(other, times)| (other, rounded(times).into())).collect::<serde_json::Map<_, _>>(),
            );
        }
    }
}

fn get(receiver: &Node, digest: &str, to: &Path) -> anyhow::Result<std::time::Duration> {
    let to = to.to_str().context("a path is text")?;
    receiver.timed(&["get", "--quiet", &format!("bob:{NAME}"), to, "--digest", digest])
}

/// The servers of the floor, one for each kind.
struct Floors(Vec<(Digest, Server, std::net::SocketAddr)>);

impl Floors {
    fn start(source: &Path) -> anyhow::Result<Self> {
        let mut floors = Vec::new();
        for digest in [Digest::None, Digest::Sha256, Digest::Blake3] {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("floor-serve").args(floor::arguments(digest, digest == Digest::None)).arg(source);
            let (server, address) = Server::announced(&mut command)?;
            floors.push((digest, server, address));
        }
        Ok(Self(floors))
    }

    fn get(&self, digest: Digest, synced: bool, to: &Path) -> anyhow::Result<Command> {
        let (_, _, address) = self.0.iter().find(|(kind, ..)| *kind == digest).context("a server of this kind")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor-get").args(floor::arguments(digest, digest == Digest::None));
        if digest == Digest::None {
            command.arg("--streams=1");
        }
        if !synced {
            command.arg("--no-sync");
        }
        command.arg(address.to_string()).arg(to.join(NAME));
        Ok(command)
    }
}
