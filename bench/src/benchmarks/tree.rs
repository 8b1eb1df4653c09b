//! Ten thousand small files in nested folders over loopback.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use transship_tests::random_bytes;

use super::Table;
use crate::Settings;
use crate::contest::{Contest, Contestant, Then};
use crate::machine::{program, timed};
use crate::nodes::{Node, acquaint};
use crate::report::{Unit, rounded};
use crate::rivals::{Place, Rivals};

/// Files, and how large each is.
pub(super) const FILES: u64 = 10_000;
pub(super) const BYTES: u64 = 4 << 10;
/// Files in a folder; folders in the folder above.
const FANOUT: u64 = 100;
pub(super) const NAME: &str = "tree";
const SOCKET: &str = "tar through a socket (plain)";

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(format!("tree: {FILES} files of 4 KiB in folders of {FANOUT}, over loopback, median of {}", settings.runs), Unit::Seconds);
    table.files = Some(FILES);
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let (alice, bob) = (Node::start(work.path(), "alice", &[]), Node::start(work.path(), "bob", &[]));
    acquaint(&alice, &bob);
    let served = bob.home.files();
    grow(&served.join(NAME))?;
    crate::machine::sync_all(&served)?;

    let rivals = Rivals::start(Place::loopback(), &served, work.path(), |name| settings.wants(name) && !name.contains("nginx") && !name.contains("http"));
    table.absent.clone_from(&rivals.absent);
    let mut contestants = Vec::new();
    match takes_trees(&alice) {
        Ok(()) => contestants.push(Contestant::new("transship", |to: &Path| get(&alice, to))),
        Err(why) => table.absent.push(("transship".into(), format!("{why:#}"))),
    }
    match program("tar") {
        Some(tar) => {
            let served = served.clone();
            contestants.push(Contestant::new(SOCKET, move |to: &Path| through_a_socket(&tar, &served, to)));
        }
        None => table.absent.push((SOCKET.into(), "tar is not installed".into())),
    }
    for rival in &rivals.there {
        contestants.push(Contestant::new(rival.name, move |to: &Path| timed(&mut rival.fetch(NAME, to))));
    }
    contestants.retain(|contestant| settings.wants(contestant.name()));

    let results = work.path().join("results");
    std::fs::create_dir(&results)?;
    let contest = Contest { settings, folder: &results, bytes: 2 * FILES * BYTES, then: Then::Keep };
    table.rows = contest.run(contestants, |folder| same(&folder.join(NAME)))?;
    for row in table.rows.clone() {
        if row.name != "transship"
            && let Some(times) = table.ratio(&row.name, "transship")
        {
            table.fact(format!("files a second, times those of {}", row.name), rounded(times));
        }
    }
    table.fact("memory of the sender", bob.memory());
    table.fact("memory of the receiver", alice.memory());
    Ok(vec![table])
}

/// Where each file is, and what is in it.
fn leaf(number: u64) -> (PathBuf, u64) {
    (PathBuf::from(format!("{:02}/{:02}/{:02}", number / (FANOUT * 10), number / FANOUT % 10, number % FANOUT)), number + 1)
}

pub(super) fn grow(root: &Path) -> anyhow::Result<()> {
    for number in 0..FILES {
        let (path, seed) = leaf(number);
        let path = root.join(path);
        if number % FANOUT == 0 {
            std::fs::create_dir_all(path.parent().context("a folder")?)?;
        }
        std::fs::write(path, random_bytes(BYTES, seed))?;
    }
    Ok(())
}

/// Whether all is there.
pub(super) fn same(root: &Path) -> anyhow::Result<()> {
    for number in 0..FILES {
        let (path, seed) = leaf(number);
        let path = root.join(path);
        if std::fs::read(&path).with_context(|| format!("{}", path.display()))? != random_bytes(BYTES, seed) {
            bail!("{} is another", path.display());
        }
    }
    Ok(())
}

/// Whether the command takes folders.
fn takes_trees(receiver: &Node) -> anyhow::Result<()> {
    let help = receiver.command(&["get", "--help"]).output()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    if help.contains("--recursive") { Ok(()) } else { bail!("`transship get` does not take -r") }
}

fn get(receiver: &Node, to: &Path) -> anyhow::Result<Duration> {
    // As for the others, the folder itself arrives in the one that is named.
    receiver.timed(&["get", "-r", "--quiet", &format!("bob:{NAME}"), to.to_str().context("a path is text")?])
}

fn through_a_socket(tar: &Path, from: &Path, to: &Path) -> anyhow::Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let begun = Instant::now();
    let mut packing = Command::new(tar).arg("-C").arg(from).args(["-cf", "-", NAME]).stdout(Stdio::piped()).spawn()?;
    let mut unpacking = Command::new(tar).arg("-C").arg(to).args(["-xf", "-"]).stdin(Stdio::piped()).spawn()?;
    std::thread::scope(|scope| {
        let mut packed = packing.stdout.take().context("a pipe")?;
        let sending = scope.spawn(move || -> std::io::Result<u64> { std::io::copy(&mut packed, &mut TcpStream::connect(address)?) });
        let (mut socket, _) = listener.accept()?;
        let mut unpacked = unpacking.stdin.take().context("a pipe")?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match socket.read(&mut buffer)? {
                0 => break,
                count => unpacked.write_all(buffer.get(..count).unwrap_or_default())?,
            }
        }
        drop(unpacked);
        sending.join().map_err(|_| anyhow::anyhow!("the sending thread failed"))??;
        Ok::<_, anyhow::Error>(())
    })?;
    if !(packing.wait()?.success() && unpacking.wait()?.success()) {
        bail!("tar failed");
    }
    Ok(begun.elapsed())
}
