//! A tree of very many entries: how long it takes, and whether the memory of either node grows with it.
//!
//! The files are tiny, so what is measured is what an entry costs: listed, moved, found equal. Run it with two numbers of `--files`: what is bounded is the same for both. With `--flat`, all are in one
//! folder: then what an entry costs should not grow with their number either.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use transship_tests::machine::{forget_peak, memory};

use super::Table;
use crate::Settings;
use crate::nodes::{Node, acquaint};
use crate::report::{Row, Unit};

/// Files in a folder; folders in the folder above.
const FILES: u64 = 500;
const FOLDERS: u64 = 100;
const NAME: &str = "entries";

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let (files, size, flat) = (settings.files, settings.file_size, settings.flat);
    let folders = if flat { "one folder".into() } else { format!("folders of {FILES}") };
    let mut table = Table::new(format!("entries: {files} files of {size} bytes in {folders}, over loopback, median of {}", settings.runs), Unit::Seconds);
    table.files = Some(files);
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let (alice, bob) = (Node::start(work.path(), "alice", &[]), Node::start(work.path(), "bob", &[]));
    acquaint(&alice, &bob);
    let source = bob.home.files().join(NAME);
    grow(&source, files, size, flat)?;
    crate::machine::sync_all(&source)?;

    for round in 0..settings.runs {
        let target = work.path().join(format!("result {round}"));
        fs::create_dir(&target)?;
        let to = target.to_str().context("a path is text")?.to_owned();
        let get = ["get", "-a", "--quiet", &format!("bob:{NAME}"), &to];
        // A peer's listing has files only.
        let list = ["list", "bob", "--json", "--prefix", &format!("{NAME}/")];
        let steps: [(&str, &[&str]); 3] = [("list", &list), ("get -a", &get), ("get -a, all equal", &get)];
        for (name, command) in steps {
            if !settings.wants(name) {
                continue;
            }
            let (time, more) = step(&alice, &bob, command)?;
            eprintln!("round {} of {}: {name:<20}{:>9.3} s, more memory: {more}", round + 1, settings.runs, time.as_secs_f64());
            table.fact(format!("{name}: memory, MiB, round {}", round + 1), more);
            match table.rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.samples.push(time.as_secs_f64()),
                None => table.rows.push(Row { name: name.into(), samples: vec![time.as_secs_f64()], synced: Vec::new() }),
            }
        }
        if target.join(NAME).exists() {
            same(&target.join(NAME), files, size, flat)?;
        }
    }
    Ok(vec![table])
}

/// Runs a command of the receiver; says how long it took, and what each node had at most and before.
fn step(receiver: &Node, sender: &Node, command: &[&str]) -> anyhow::Result<(Duration, serde_json::Value)> {
    let mib = |bytes: u64| (bytes as f64 / 1048576.0 * 10.0).round() / 10.0;
    let nodes = [("receiver", receiver), ("sender", sender)];
    let before = nodes.map(|(_, node)| {
        forget_peak(node.serving.pid());
        memory(node.serving.pid(), "VmRSS")
    });
    let time = receiver.timed(command)?;
    let found = nodes.iter().zip(before).map(|((name, node), before)| {
        let peak = memory(node.serving.pid(), "VmHWM");
        ((*name).to_owned(), serde_json::json!({"peak": mib(peak), "before": mib(before)}))
    });
    Ok((time, found.collect::<serde_json::Map<_, _>>().into()))
}

/// Where each file is.
fn leaf(number: u64, flat: bool) -> PathBuf {
    if flat {
        return PathBuf::from(format!("{number:08}"));
    }
    PathBuf::from(format!("{:03}/{:02}/{:03}", number / (FILES * FOLDERS), number / FILES % FOLDERS, number % FILES))
}

/// Makes the files; each begins with its number, as far as there is room.
fn grow(root: &Path, files: u64, size: u64, flat: bool) -> anyhow::Result<()> {
    let mut content = vec![b'.'; usize::try_from(size)?];
    for number in 0..files {
        let path = root.join(leaf(number, flat));
        if number == 0 || (!flat && number % FILES == 0) {
            fs::create_dir_all(path.parent().context("a folder")?)?;
        }
        content.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, of_number)| *byte = of_number);
        fs::write(&path, &content).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// Whether all is there: every name, and some of what is in the files.
fn same(root: &Path, files: u64, size: u64, flat: bool) -> anyhow::Result<()> {
    for number in 0..files {
        let path = root.join(leaf(number, flat));
        let found = fs::symlink_metadata(&path).with_context(|| format!("{}", path.display()))?;
        if found.len() != size || (number % 997 == 0 && !fs::read(&path)?.iter().zip(number.to_le_bytes()).all(|(found, byte)| *found == byte)) {
            bail!("{} is another", path.display());
        }
    }
    Ok(())
}
