//! One file through a wire with a delay and a loss, against what iperf3 gets through it with as many connections; and ten thousand small files through one with a long delay.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use transship_tests::{Home, Serving, differ, random_file};

use super::{Table, tree};
use crate::Settings;
use crate::contest::{Contest, Contestant, Then};
use crate::machine::{Server, program, timed};
use crate::report::{Unit, rounded};
use crate::rivals::{Place, Rivals, through};
use crate::wire::{LEFT, Nature, RIGHT, Wire};

const NAME: &str = "file.bin";
const STREAMS: &str = "4";
/// The wires, and what moves through them: some seconds each.
const WIRES: [(&str, Nature, u64); 2] = [
    ("1 Gbit/s, 10 ms each way", Nature { megabits: 1000, delay: Duration::from_millis(10), lost: 0 }, 512 << 20),
    ("100 Mbit/s, 50 ms each way, 1 % of the packets lost", Nature { megabits: 100, delay: Duration::from_millis(50), lost: 10 }, 64 << 20),
];

/// The wire that the small files go through.
const LONG: (&str, Nature) = ("1 Gbit/s, 50 ms each way", Nature { megabits: 1000, delay: Duration::from_millis(50), lost: 0 });

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let files = WIRES.iter().map(|&(about, nature, bytes)| through_wire(settings, about, nature, bytes));
    files.chain(std::iter::once_with(|| small_files(settings))).collect()
}

/// A node at each end of a wire that know each other.
struct Ends {
    alice: Home,
    bob: Home,
    _serving: [Serving; 2],
}

impl Ends {
    fn of(wire: &Wire, work: &Path) -> Self {
        let (alice, bob) = (Home::new_in(work, "alice"), Home::new_in(work, "bob"));
        let serve = |home: &Home, at| home.serve_through(&wire.scene(at).iter().map(String::as_str).collect::<Vec<_>>(), &format!("{at}:0"));
        let serving = [serve(&alice, LEFT), serve(&bob, RIGHT)];
        for (home, peer, host, allows) in [(&alice, &bob, RIGHT, ""), (&bob, &alice, LEFT, "list,read")] {
            let ticket = peer.run(["ticket", "--host", &host.to_string()]).ok().stdout;
            let mut arguments = vec!["peer".to_owned(), "add".into(), ticket.trim().into()];
            if !allows.is_empty() {
                arguments.extend(["--allow".into(), format!("files={allows}")]);
            }
            home.run(arguments).ok();
        }
        Self { alice, bob, _serving: serving }
    }
}

fn small_files(settings: &Settings) -> anyhow::Result<Table> {
    let (about, nature) = LONG;
    let mut table = Table::new(format!("link: {} files of 4 KiB through {about}, median of {}", tree::FILES, settings.runs), Unit::Seconds);
    table.files = Some(tree::FILES);
    let wire = match Wire::lay(nature) {
        Ok(wire) => wire,
        Err(why) => {
            table.absent.push(("everything".into(), format!("this machine does not let us lay a wire: {why:#}")));
            return Ok(table);
        }
    };
    table.fact("the delay is made by", wire.carrier);
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let ends = Ends::of(&wire, work.path());
    let served = ends.bob.files();
    tree::grow(&served.join(tree::NAME))?;
    let place = Place { host: RIGHT, serve: wire.scene(RIGHT), fetch: wire.scene(LEFT) };
    // One file after the other takes scp an hour.
    let rivals = Rivals::start(place, &served, work.path(), |name| settings.wants(name) && name.starts_with("rsync"));
    table.absent.extend(rivals.absent.iter().cloned());
    let alice = &ends.alice;
    let mut contestants = vec![Contestant::new("transship", move |to: &Path| {
        let to = to.to_str().context("a path is text")?;
        timed(&mut alice.command(["get", "-r", "--quiet", &format!("bob:{}", tree::NAME), to]))
    })];
    for rival in &rivals.there {
        contestants.push(Contestant::new(rival.name, move |to: &Path| timed(&mut rival.fetch(tree::NAME, to))));
    }
    contestants.retain(|contestant| settings.wants(contestant.name()));
    let results = work.path().join("results");
    std::fs::create_dir(&results)?;
    let contest = Contest { settings, folder: &results, bytes: 2 * tree::FILES * tree::BYTES, then: Then::Keep };
    table.rows = contest.run(contestants, |folder| tree::same(&folder.join(tree::NAME)))?;
    for rival in &rivals.there {
        if let Some(times) = table.ratio(rival.name, "transship") {
            table.fact(format!("files a second, times those of {}", rival.name), rounded(times));
        }
    }
    Ok(table)
}

fn through_wire(settings: &Settings, about: &str, nature: Nature, bytes: u64) -> anyhow::Result<Table> {
    let mut table = Table::new(format!("link: {} MiB through {about}, median of {}", bytes >> 20, settings.runs), Unit::Seconds);
    table.bytes = Some(bytes);
    let wire = match Wire::lay(nature) {
        Ok(wire) => wire,
        Err(why) => {
            table.absent.push(("everything".into(), format!("this machine does not let us lay a wire: {why:#}")));
            return Ok(table);
        }
    };
    table.fact("delay and loss are made by", wire.carrier);
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let served = work.path().join("served");
    let source = served.join(NAME);
    random_file(&source, bytes);

    let (left, right) = (wire.scene(LEFT), wire.scene(RIGHT));
    let Ends { alice, bob, _serving } = Ends::of(&wire, work.path());
    std::fs::hard_link(&source, bob.file(NAME))?;

    let place = Place { host: RIGHT, serve: right.clone(), fetch: left.clone() };
    let rivals = Rivals::start(place, &served, work.path(), |name| settings.wants(name) && (name == "scp" || name.starts_with("rsync")));
    table.absent.extend(rivals.absent.iter().cloned());
    let mut contestants = Vec::new();
    for digest in ["sha256", "blake3"] {
        let alice = &alice;
        contestants.push(Contestant::new(format!("transship {digest}"), move |to: &Path| {
            let to = to.to_str().context("a path is text")?;
            timed(&mut alice.command(["get", "--quiet", &format!("bob:{NAME}"), to, "--digest", digest, "--streams", STREAMS]))
        }));
    }
    let mut iperf_server = None;
    match program("iperf3") {
        Some(iperf) => {
            let server = through(&right, &iperf, &["--server"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Server::from)?;
            iperf_server = Some(server);
            for streams in [STREAMS, "1"] {
                let (iperf, left) = (iperf.clone(), left.clone());
                contestants
                    .push(Contestant::new(format!("iperf3, {streams} streams"), move |_: &Path| iperf3(&mut through(&left, &iperf, &[]), bytes, streams)));
            }
        }
        None => table.absent.push(("iperf3".into(), "iperf3 is not installed".into())),
    }
    for rival in &rivals.there {
        contestants.push(Contestant::new(rival.name, move |to: &Path| timed(&mut rival.fetch(NAME, to))));
    }
    contestants.retain(|contestant| settings.wants(contestant.name()));

    let results = work.path().join("results");
    std::fs::create_dir(&results)?;
    let contest = Contest { settings, folder: &results, bytes, then: Then::Remove };
    table.rows = contest.run(contestants, |folder| {
        let found = folder.join(NAME);
        match found.exists().then(|| differ(&source, &found)).flatten() {
            // iperf3 brings nothing.
            None => Ok(()),
            Some(how) => bail!("{how}"),
        }
    })?;
    drop(iperf_server);
    for digest in ["sha256", "blake3"] {
        let name = format!("transship {digest}");
        for other in [format!("iperf3, {STREAMS} streams"), "scp".into(), "rsync over ssh".into(), "rsync daemon (plain)".into()] {
            if let Some(times) = table.ratio(&other, &name) {
                table.fact(format!("{name}: throughput, times that of {other}"), rounded(times));
            }
        }
    }
    Ok(table)
}

/// How long iperf3 takes for as many bytes.
fn iperf3(command: &mut Command, bytes: u64, streams: &str) -> anyhow::Result<Duration> {
    let each = bytes / streams.parse::<u64>()?;
    command.args(["--client", &RIGHT.to_string(), "--reverse", "--json", "--parallel", streams, "--bytes", &each.to_string()]);
    let output = command.stdin(Stdio::null()).output()?;
    let said: Value = serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stdout).into_owned())?;
    let received = |what: &str| said.pointer("/end/sum_received")?.get(what)?.as_f64();
    let (Some(seconds), Some(got)) = (received("seconds"), received("bytes")) else { bail!("iperf3 said {said}") };
    // It counts a little more or less than it was told to move.
    Ok(Duration::from_secs_f64(seconds * bytes as f64 / got))
}
