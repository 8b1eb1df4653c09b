//! How long a person waits before anything happens.

use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use transship_tests::Home;

use super::Table;
use crate::Settings;
use crate::machine::{free_port, timed};
use crate::nodes::Node;
use crate::report::{Row, Unit};

/// How long a node may take.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let work = tempfile::tempdir_in(settings.folder()?)?;
    // Both serve once, which fills the cache of compiled code.
    let running = Node::start(work.path(), "running", &[]);
    let Node { home: alone, serving, .. } = Node::start(work.path(), "alone", &[]);
    drop(serving.stop("TERM"));
    std::fs::write(running.home.file("a file"), "content")?;
    std::fs::write(alone.file("a file"), "content")?;

    let mut table = Table::new(format!("start: with compiled code in the cache, median of {}", settings.runs), Unit::Milliseconds);
    let rows: [(&str, &dyn Fn() -> anyhow::Result<Duration>); 5] = [
        ("serve, until it takes connections", &|| connects(&alone)),
        ("serve, until it has answered a command", &|| answers(&alone)),
        ("list, with no node running", &|| timed(&mut alone.command(["list"]))),
        ("list, of a running node", &|| running.timed(&["list"])),
        ("--version", &|| running.timed(&["--version"])),
    ];
    table.rows = rows.iter().map(|(name, _)| Row { name: (*name).into(), samples: Vec::new(), synced: Vec::new() }).collect();
    for _ in 0..settings.runs {
        for ((_, run), row) in rows.iter().zip(&mut table.rows) {
            row.samples.push(run()?.as_secs_f64() * 1e3);
        }
    }
    size_of_binary(&mut table);
    Ok(vec![table])
}

/// From the start of `serve` until its port takes a connection.
fn connects(home: &Home) -> anyhow::Result<Duration> {
    let port = free_port()?;
    let begun = Instant::now();
    let mut child =
        home.command(["serve", "--listen", &format!("127.0.0.1:{port}")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let time = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => break Ok(begun.elapsed()),
            Err(_) if begun.elapsed() > LONGEST => break Err(anyhow::anyhow!("the node does not take connections")),
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    };
    end(&mut child)?;
    time
}

/// From the start of `serve` until a command that asks it has its answer: the command takes its own time.
fn answers(home: &Home) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let serving = home.serve();
    timed(&mut home.command(["list"]))?;
    let time = begun.elapsed();
    drop(serving.stop("TERM"));
    Ok(time)
}

fn end(child: &mut std::process::Child) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).context("a pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    if child.wait()?.code().is_none() {
        bail!("the node did not end in good order");
    }
    Ok(())
}

fn size_of_binary(table: &mut Table) {
    let dist = transship_tests::transship().parent().and_then(std::path::Path::parent).map(|target| target.join("dist/transship"));
    match dist.and_then(|path| std::fs::metadata(path).ok()) {
        Some(there) => table.fact("size of the binary (dist), MB", crate::report::rounded(there.len() as f64 / 1e6)),
        None => table.absent.push(("size of the binary".into(), "there is no target/dist/transship: run `just dist`".into())),
    }
}
