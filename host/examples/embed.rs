//! A program with a node inside: makes a home, puts a package into it and grants it what it asks for, starts the node and sends a process a message.
//!
//! `cargo run --release --example embed -- PACKAGE.transship PROCESS BODY`, for instance with `target/test-packages/puppet.transship main:puppet:test '{"echo":"hello"}'`.

#![allow(clippy::print_stdout)]

use std::time::Duration;

use transship::home::Home;
use transship::message::{Address, Content};
use transship::node::{Node, NodeOptions};
use transship::package::Package;
use transship::package::grants::PackageGrants;
use transship::package::shelf::ShelfLock;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(package), Some(process), Some(body)) = (arguments.next(), arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: embed PACKAGE.transship PROCESS BODY");
    };
    let folder = tempfile::tempdir()?;
    let home = Home::init(folder.path(), "embedded")?;
    let package = Package::read(package.as_ref())?;
    ShelfLock::take(&home)?.install(&package, &PackageGrants::all_of(package.manifest()))?;

    let _lock = home.lock()?;
    let node = Node::start(&home, NodeOptions::default()).await?;
    let target = Address::new(node.name(), process.parse()?)?;
    let content = Content { body: body.into(), ..Content::default() };
    let (source, answer) = node.client().request(&target, content, Duration::from_secs(10)).await?;
    println!("{source}: {}", String::from_utf8_lossy(&answer.body));
    node.shutdown().await;
    Ok(())
}
