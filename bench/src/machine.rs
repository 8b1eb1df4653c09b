//! What this machine has: memory that is ready, programs, processes that end with us.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(u64);

impl Size {
    /// So many times 1,048,576 bytes.
    pub(crate) const fn mib(number: u64) -> Self {
        Self(number << 20)
    }

    /// As a number.
    pub(crate) fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, shift) =
            [("KiB", 10), ("MiB", 20), ("GiB", 30)].iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
        let wrong = || format!("'{text}' is no size: write 1048576, 512KiB, 64MiB or 4GiB");
        let number: u64 = number.trim().parse().map_err(|_| wrong())?;
        number.checked_mul(1 << shift).filter(|&bytes| bytes > 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 30) == 0 => write!(f, "{} GiB", bytes >> 30),
            bytes if bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// Touches so many bytes of memory and gives them back. On some virtual machines, memory that was freed a while ago is slow to touch again; this way everybody who is measured finds it ready.
pub(crate) fn warm_memory(bytes: u64) {
    let held = vec![1_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    std::hint::black_box(&held);
}

/// Where a program is, looked for also where servers are.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A port of loopback that nobody has at the moment.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A process of ours. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(command: &mut Command, ready: impl Fn() -> bool) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let said = tempfile::tempfile()?;
        let child = command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?).spawn().with_context(|| name.clone())?;
        let mut server = Self(child);
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if ready() {
                return Ok(server);
            }
            if server.0.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{name} did not start: {}", text_of(said).trim())
    }

    /// Starts a server that prints a line with the address where it listens.
    pub(crate) fn announced(command: &mut Command) -> anyhow::Result<(Self, SocketAddr)> {
        use std::io::BufRead as _;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        let server = Self(child);
        let mut line = String::new();
        std::io::BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("a server said '{}' where it listens", line.trim()))?;
        Ok((server, address))
    }
}

impl From<Child> for Server {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

fn text_of(mut file: std::fs::File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    drop(file.rewind().and_then(|()| file.read_to_string(&mut text)));
    text
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // A daemon of several processes ends all of them when it is asked to.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs a command to its end and says how long it took.
pub(crate) fn timed(command: &mut Command) -> anyhow::Result<Duration> {
    let said = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
    let begun = Instant::now();
    let status = command.status().with_context(|| command.get_program().to_string_lossy().into_owned())?;
    let time = begun.elapsed();
    if !status.success() {
        bail!("{:?} failed ({status}): {}", command.get_program(), text_of(said).trim());
    }
    Ok(time)
}

/// What a process and its threads have used of the processors, in their own code and in the kernel's.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which is in brackets, may hold anything.
    let (_, after) = text.rsplit_once(')').context("a process has a name")?;
    let ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Waits until a file is on the disk.
pub(crate) fn sync(path: &Path) -> anyhow::Result<()> {
    std::fs::File::open(path)?.sync_all().with_context(|| format!("{}", path.display()))
}

/// Waits until everything of the file system that a folder is on is on its disk.
pub(crate) fn sync_all(folder: &Path) -> anyhow::Result<()> {
    rustix::fs::syncfs(std::fs::File::open(folder)?).with_context(|| format!("{}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_people_write_it() {
        for (text, bytes, shown) in [("4GiB", 4_u64 << 30, "4 GiB"), ("1536MiB", 1536 << 20, "1536 MiB"), ("5 KiB", 5 << 10, "5 KiB"), ("7", 7, "7 bytes")] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown));
        }
        for text in ["", "0", "1GB", "-1", "99999999999GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
