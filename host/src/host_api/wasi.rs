//! WASI 0.2, for components whose language's library needs it: clocks, randomness and standard output, which goes to the log line by line.
//!
//! What always holds: no call of WASI reaches a file of this machine or its network; what would is refused by [`files`] and [`sockets`] before anything of the system's is asked. Arguments,
//! environment and standard input are empty. Waiting in WASI (a sleep, a poll) suspends the guest like waiting in `receive`. A process that makes no call of WASI has no context for it, so
//! plain components pay nothing. The guest sees a refusal as an error; the log says once in each run of a process what was refused and what to use instead.

mod files;
mod output;
mod sockets;

use std::fmt;
use std::sync::Arc;

use tracing::Level;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::p2::bindings::{filesystem, sockets as network};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::Guest;
use super::log::Lines;
use output::Output;

/// The packages of WASI that are served; `filesystem` and `sockets` are there to refuse.
const SERVED: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// The most random bytes in one call: like everything else that is copied at a time.
const MAX_RANDOM: u64 = 16 << 20;
/// The most characters of a name that the log repeats.
const MAX_NAME: usize = 200;

/// What a running guest has of WASI.
#[derive(Default)]
pub(crate) struct Wasi {
    /// Made at the first call.
    context: Option<Box<WasiCtx>>,
    told_of_files: bool,
    told_of_network: bool,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Every call of WASI passes here, and is a call of the node like any other.
        self.busy_epochs = 0;
        let lines = &self.lines;
        WasiCtxView { ctx: self.wasi.context.get_or_insert_with(|| Box::new(context(lines))), table: &mut self.table }
    }
}

fn context(lines: &Arc<Lines>) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(Output::new(lines.clone(), Level::INFO)).stderr(Output::new(lines.clone(), Level::WARN)).max_random_size(MAX_RANDOM);
    wasi.build()
}

impl Guest {
    fn refused_file(&mut self, name: impl fmt::Display) {
        self.busy_epochs = 0;
        if !std::mem::replace(&mut self.wasi.told_of_files, true) {
            let name: String = name.to_string().chars().take(MAX_NAME).collect();
            let text = format!(
                "{name:?} was refused: a process has no files of this machine through WASI. Use transship:host/vfs, with a drive that the manifest asks for under [drives] and [process.capabilities]"
            );
            self.lines.write(Level::WARN, &text);
        }
    }

    fn refused_network(&mut self, what: impl fmt::Display) {
        self.busy_epochs = 0;
        if !std::mem::replace(&mut self.wasi.told_of_network, true) {
            let text = format!(
                "{what} was refused: a process has no sockets. Other nodes are reached with messages (transship:host/messaging), which the manifest asks for with network = true under [process.capabilities]"
            );
            self.lines.write(Level::WARN, &text);
        }
    }
}

/// The imports of WASI that no node serves: other packages than those of [`SERVED`], or other versions than 0.2.
pub(crate) fn unserved(engine: &wasmtime::Engine, component: &Component) -> Vec<String> {
    let served = |name: &str| {
        let Some(rest) = name.strip_prefix("wasi:") else { return true };
        let package = rest.split('/').next().unwrap_or_default();
        let version = rest.split_once('@').map_or("", |(_, version)| version);
        SERVED.contains(&package) && (version == "0.2" || version.starts_with("0.2."))
    };
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).filter(|name| !served(name)).collect()
}

/// Makes WASI available to guests.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // What refuses takes the place of what would open something, if it were let.
    linker.allow_shadowing(true);
    filesystem::preopens::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    filesystem::types::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    network::tcp_create_socket::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    network::udp_create_socket::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    network::ip_name_lookup::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    linker.allow_shadowing(false);
    Ok(())
}
