//! What the sandbox costs: one large file with the workers as components, and as native code.
//!
//! Three pairs of nodes move the same file, each asked by a command of its own (`transship get --digest blake3`): that of `transship serve`, and two of [`crate::double`], whose workers are the component or the same worker as
//! native code. The last two are one program, so the difference between them is the sandbox; what lies between the first two, which do the same, is what the machine makes of it. Time on the clock, and the processor time
//! of both nodes, which other work on the machine changes less.
//!
//! Before the first turn each pair moves the file once: its digest must be that of the source. A double whose worker was never native fails at its end.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use transship_tests::{differ, random_file};

use super::Table;
use crate::Settings;
use crate::contest::{Contest, Contestant, Then};
use crate::double::Worker;
use crate::machine::{Size, processor_time};
use crate::nodes::{Node, acquaint, offer};
use crate::report::{Unit, rounded};

const NAME: &str = "file.bin";
/// Of the file, unless the command line says otherwise: 512 MiB.
const SIZE: Size = Size::mib(512);
const SERVED: &str = "transship";
const COMPONENT: &str = "component, in the double's node";
const NATIVE: &str = "native: the double";

/// Two nodes that do the same.
struct Pair {
    name: &'static str,
    receiver: Node,
    sender: Node,
    /// Of both, in all turns.
    processor: Cell<Duration>,
}

impl Pair {
    fn start(folder: &Path, name: &'static str, worker: Option<Worker>, source: &Path) -> anyhow::Result<Self> {
        let scene = worker.map(Worker::scene).transpose()?.unwrap_or_default();
        let scene: Vec<&str> = scene.iter().map(String::as_str).collect();
        let (receiver, sender) = (Node::start(folder, "alice", &scene), Node::start(folder, "bob", &scene));
        offer(&sender, source)?;
        acquaint(&receiver, &sender);
        Ok(Self { name, receiver, sender, processor: Cell::default() })
    }

    /// Moves the file once, and looks at what is said of it.
    fn check(&self, source: &Path, to: &Path) -> anyhow::Result<()> {
        let digest = blake3::Hasher::new().update_reader(std::fs::File::open(source)?)?.finalize().to_hex().to_string();
        let outcome = self.receiver.home.run_json(["get", &format!("bob:{NAME}"), to.to_str().context("a path is text")?, "--digest", "blake3"]).ok();
        let found = outcome.json().iter().any(|said| said.get("digest").and_then(Value::as_str) == Some(&digest));
        ensure!(found, "{}: the digest of what was moved is not that of the source: {}", self.name, outcome.stdout);
        same(source, to)?;
        std::fs::remove_file(to.join(NAME))?;
        Ok(())
    }

    fn get(&self, to: &Path) -> anyhow::Result<Duration> {
        let before = self.processor_time()?;
        let time = self.receiver.timed(&["get", "--quiet", &format!("bob:{NAME}"), to.to_str().context("a path is text")?, "--digest", "blake3"])?;
        self.processor.set(self.processor.get() + self.processor_time()?.saturating_sub(before));
        Ok(time)
    }

    fn processor_time(&self) -> anyhow::Result<Duration> {
        Ok(processor_time(self.receiver.serving.pid())? + processor_time(self.sender.serving.pid())?)
    }

    /// Ends both nodes, which say whether they were what they should be.
    fn stop(self) -> anyhow::Result<()> {
        for node in [self.receiver, self.sender] {
            let (status, said) = node.serving.stop("TERM");
            ensure!(status.success(), "{}: {said}", self.name);
        }
        Ok(())
    }
}

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let work = tempfile::tempdir_in(settings.folder()?)?;
    let size = settings.size.unwrap_or(SIZE);
    let source = work.path().join(NAME);
    random_file(&source, size.bytes());
    crate::machine::sync(&source)?;
    let results = work.path().join("results");
    std::fs::create_dir(&results)?;

    let wanted = [(SERVED, None), (COMPONENT, Some(Worker::Component)), (NATIVE, Some(Worker::Native))].into_iter().filter(|(name, _)| settings.wants(name));
    let pairs = wanted.map(|(name, worker)| Pair::start(work.path(), name, worker, &source)).collect::<anyhow::Result<Vec<_>>>()?;
    for pair in &pairs {
        pair.check(&source, &results)?;
    }
    let contestants = pairs.iter().map(|pair| Contestant::new(pair.name, |to: &Path| pair.get(to))).collect();
    let contest = Contest { settings, folder: &results, bytes: size.bytes(), then: Then::Remove };
    let rows = contest.run(contestants, |folder| same(&source, folder))?;

    let mut table = Table::new(format!("sandbox: {size} of random bytes over loopback, blake3, median of {}", settings.runs), Unit::Seconds);
    table.bytes = Some(size.bytes());
    table.rows = rows;
    for other in [SERVED, COMPONENT] {
        if let Some(times) = table.ratio(other, NATIVE) {
            table.fact(format!("the double is faster than '{other}' by, %"), percent(times));
        }
    }
    if let Some(times) = table.ratio(COMPONENT, SERVED) {
        table.fact(format!("'{SERVED}' is faster than '{COMPONENT}', which does the same, by, %"), percent(times));
    }
    for pair in &pairs {
        table
            .fact(format!("{}: processor time of both nodes, s a transfer", pair.name), rounded(pair.processor.get().as_secs_f64() / f64::from(settings.runs)));
    }
    pairs.into_iter().try_for_each(Pair::stop)?;
    Ok(vec![table])
}

/// By how much of a hundred something is faster that takes so many times less.
fn percent(times: f64) -> f64 {
    ((times - 1.0) * 1e3).round() / 10.0
}

fn same(source: &Path, folder: &Path) -> anyhow::Result<()> {
    match differ(source, &folder.join(NAME)) {
        None => Ok(()),
        Some(how) => bail!("{how}"),
    }
}
