//! What this machine says of its processes and lets the tests do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A figure out of a process's `status`, in bytes: `VmRSS` (memory in use), `VmHWM` (the most that ever was).
///
/// # Panics
/// If the process or the figure is not there.
pub fn memory(pid: u32, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':')).unwrap_or_else(|| panic!("no {figure} in {status}"));
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes << 10
}

/// Forgets what `VmHWM` was until now: a node that has just compiled its components needed more for that than it does for anything else.
///
/// # Panics
/// If the process is not there.
pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
}

/// Bytes that a process has read so far, of files and connections.
///
/// # Panics
/// If the process is not there.
pub fn bytes_read(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("the process is there");
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap_or_else(|| panic!("no rchar in {io}"));
    line.trim().parse().expect("a number")
}

/// Waits until a process reads nothing any more: for what must not happen there is no event, and one that has stopped reading will not do it.
///
/// # Panics
/// If it goes on reading.
pub fn stands_still(pid: u32) {
    let (mut last, mut still) = (0, 0);
    crate::eventually("the process stands still", || {
        let now = bytes_read(pid);
        still = if now == last { still + 1 } else { 0 };
        last = now;
        (still == 100).then_some(())
    });
}

/// A folder for so many bytes: in memory where there is room for them, so that a test of the node is none of the disk.
pub fn quick_folder(bytes: u64) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(shared).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    if free > 2 * bytes { shared.into() } else { std::env::temp_dir() }
}

/// Sends a signal to a process of the test's: `INT`, `TERM`, `HUP`, `STOP`, `CONT` or `KILL`.
pub fn signal(pid: u32, name: &str) {
    crate::command::kill(pid, name);
}

/// Whether this machine lets us run this command, which must do no harm.
pub fn can(command: &[&str]) -> bool {
    let [program, arguments @ ..] = command else { return false };
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Says that a test, or a part of it, was not run, and why: also in the file that TRANSSHIP_SKIPPED names, since nobody sees what a test says that passes.
///
/// # Panics
/// If that file can't be written to.
pub fn skipped(what: &str, why: &str) {
    eprintln!("SKIPPED: {what}: {why}");
    if let Some(path) = std::env::var_os("TRANSSHIP_SKIPPED") {
        let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // At once: tests run side by side.
        file.write_all(format!("{what}: {why}\n").as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// A command through which a node runs that the modes of files bind, if there is one: for root they are no obstacle otherwise.
pub fn bound_by_modes() -> Option<&'static [&'static str]> {
    const WITHOUT_OVERRIDE: &[&str] = &["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("a mode");
    let text = file.to_str()?;
    if !can(&["cat", text]) {
        return Some(&[]);
    }
    let through = |scene: &[&'static str]| can(&[scene, &["cat", text]].concat());
    (can(&[WITHOUT_OVERRIDE, &["true"]].concat()) && !through(WITHOUT_OVERRIDE)).then_some(WITHOUT_OVERRIDE)
}

/// A command through which a node runs with a small file system of its own mounted at `folder`, if we may.
pub fn small_disk(folder: &Path, bytes: u64) -> Option<Vec<String>> {
    let script = format!("mount -t tmpfs -o size={bytes},mode=700 none '{}' && exec \"$@\"", folder.display());
    let scene = ["unshare", "--map-root-user", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    let probe: Vec<&str> = scene.iter().map(String::as_str).chain(["true"]).collect();
    can(&probe).then_some(scene)
}
