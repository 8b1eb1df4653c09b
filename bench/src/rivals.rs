//! The other programs, with servers of their own on loopback, as far as they are installed.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::machine::{Server, free_port, program, timed};

/// The command that fetches a name into a folder.
type Fetch = Box<dyn Fn(&str, &Path) -> Command>;

/// One that can be compared: it fetches `source` of the folder that is served into a folder.
pub(crate) struct Rival {
    /// What it is called in the tables.
    pub(crate) name: &'static str,
    fetch: Fetch,
}

impl Rival {
    /// The command that fetches this name (relative to the folder that is served) into this folder.
    pub(crate) fn fetch(&self, name: &str, to: &Path) -> Command {
        (self.fetch)(name, to)
    }
}

/// Where servers listen and clients run.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The address of the servers.
    pub(crate) host: Ipv4Addr,
    /// A command that sets the scene for a server and then becomes it; nothing for this machine itself.
    pub(crate) serve: Vec<String>,
    /// The same for clients.
    pub(crate) fetch: Vec<String>,
}

impl Place {
    /// Loopback of this machine.
    pub(crate) fn loopback() -> Self {
        Self { host: Ipv4Addr::LOCALHOST, serve: Vec::new(), fetch: Vec::new() }
    }

    fn server(&self, program: &Path, arguments: &[&str]) -> Command {
        through(&self.serve, program, arguments)
    }

    fn client(&self, program: &Path, arguments: &[&str]) -> Command {
        through(&self.fetch, program, arguments)
    }

    /// Starts a server and waits until a client could reach it.
    fn start(&self, command: &mut Command, port: u16) -> anyhow::Result<Server> {
        let address = SocketAddr::from((self.host, port));
        if self.fetch.is_empty() {
            return Server::start(command, || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
        }
        let bash = installed("bash")?;
        let try_it = format!("exec 3<>/dev/tcp/{}/{port}", self.host);
        Server::start(command, || timed(&mut self.client(&bash, &["-c", &try_it])).is_ok())
    }
}

/// A command, or another that becomes it.
pub(crate) fn through(scene: &[String], program: &Path, arguments: &[&str]) -> Command {
    let mut command = match scene {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.args(arguments);
    command
}

/// Those that there are, their servers, and those that there are not, with the reason.
pub(crate) struct Rivals {
    place: Place,
    pub(crate) there: Vec<Rival>,
    pub(crate) absent: Vec<(String, String)>,
    _servers: Vec<Server>,
    _folders: Vec<EmptyFolder>,
}

/// A folder of the system that was made for a server, removed at the end.
struct EmptyFolder(PathBuf);

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.0));
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}

fn installed(name: &str) -> anyhow::Result<PathBuf> {
    program(name).with_context(|| format!("{name} is not installed"))
}

/// What starts servers, and says what there is then.
type Start = fn(&mut Rivals, served: &Path, work: &Path) -> anyhow::Result<()>;

impl Rivals {
    /// Serves a folder by all means that are wanted and there are. `work` is for settings and keys.
    pub(crate) fn start(place: Place, served: &Path, work: &Path, wanted: impl Fn(&str) -> bool) -> Self {
        let mut rivals = Self { place, there: Vec::new(), absent: Vec::new(), _servers: Vec::new(), _folders: Vec::new() };
        let all: [(&[&str], Start); 6] = [
            (&["cp"], Self::cp),
            (&["scp", "rsync over ssh"], Self::ssh),
            (&["rsync daemon (plain)"], Self::rsync_daemon),
            (&["curl from nginx, TLS", "aria2c from nginx, TLS"], Self::nginx),
            (&["rclone from nginx, TLS"], Self::rclone),
            (&["rclone http (plain)"], Self::rclone_http),
        ];
        for (names, start) in all {
            if names.iter().any(|name| wanted(name))
                && let Err(why) = start(&mut rivals, served, work)
            {
                rivals.absent.push((names.join(", "), format!("{why:#}")));
            }
        }
        rivals.there.retain(|rival| wanted(rival.name));
        rivals
    }

    fn add(&mut self, name: &'static str, fetch: impl Fn(&Place, &str, &Path) -> Command + 'static) {
        let place = self.place.clone();
        self.there.push(Rival { name, fetch: Box::new(move |name, to| fetch(&place, name, to)) });
    }

    fn lacks(&mut self, name: &str, why: &anyhow::Error) {
        self.absent.push((name.into(), format!("{why:#}")));
    }

    fn cp(&mut self, served: &Path, _work: &Path) -> anyhow::Result<()> {
        let (cp, served) = (installed("cp")?, served.to_owned());
        self.add("cp", move |place, name, to| {
            let mut command = place.client(&cp, &["-r", "--reflink=never"]);
            command.arg(served.join(name)).arg(to);
            command
        });
        Ok(())
    }

    fn ssh(&mut self, served: &Path, work: &Path) -> anyhow::Result<()> {
        let ssh = Ssh::start(self, work)?;
        let port = ssh.port.to_string();
        let from = format!("{}@{}:{}", ssh.user, self.place.host, text(served)?);
        match installed("scp") {
            Ok(scp) => {
                let (options, from, port) = (ssh.options.clone(), from.clone(), port.clone());
                self.add("scp", move |place, name, to| {
                    let mut command = place.client(&scp, &["-q", "-r", "-P", &port]);
                    command.args(&options).arg(format!("{from}/{name}")).arg(to);
                    command
                });
            }
            Err(why) => self.lacks("scp", &why),
        }
        match installed("rsync") {
            Ok(rsync) => {
                let shell: Vec<String> = ["ssh".to_owned(), "-p".into(), port].into_iter().chain(ssh.options).collect();
                let shell = shell.join(" ");
                self.add("rsync over ssh", move |place, name, to| {
                    let mut command = place.client(&rsync, &["-r", "--whole-file", "-e", &shell]);
                    command.arg(format!("{from}/{name}")).arg(to);
                    command
                });
            }
            Err(why) => self.lacks("rsync over ssh", &why),
        }
        Ok(())
    }

    fn rsync_daemon(&mut self, served: &Path, work: &Path) -> anyhow::Result<()> {
        let (rsync, port) = (installed("rsync")?, free_port()?);
        let config = work.join("rsyncd.conf");
        let root = if rustix::process::getuid().is_root() { "uid = root\ngid = root\n" } else { "" };
        std::fs::write(
            &config,
            format!("use chroot = no\nlock file = {}/rsyncd.lock\n[files]\npath = {}\nread only = yes\n{root}", text(work)?, text(served)?),
        )?;
        let arguments =
            ["--daemon", "--no-detach", &format!("--address={}", self.place.host), &format!("--port={port}"), &format!("--config={}", text(&config)?)];
        self._servers.push(self.place.start(&mut self.place.server(&rsync, &arguments), port)?);
        self.add("rsync daemon (plain)", move |place, name, to| {
            let mut command = place.client(&rsync, &["-r", "--whole-file"]);
            command.arg(format!("rsync://{}:{port}/files/{name}", place.host)).arg(to);
            command
        });
        Ok(())
    }

    /// The port at which nginx serves the folder with TLS, and the certificate.
    fn start_nginx(&mut self, served: &Path, work: &Path) -> anyhow::Result<(u16, PathBuf)> {
        let (nginx, openssl, port) = (installed("nginx")?, installed("openssl")?, free_port()?);
        let folder = work.join(format!("nginx-{port}"));
        std::fs::create_dir(&folder)?;
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let mut make =
            through(&[], &openssl, &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        make.args(["-addext", &format!("subjectAltName=IP:{}", self.place.host), "-keyout", text(&key)?, "-out", text(&certificate)?]);
        timed(&mut make)?;
        let user = if rustix::process::getuid().is_root() { "user root;\n" } else { "" };
        let (host, here, served) = (self.place.host, text(&folder)?, text(served)?);
        let config = format!(
            "{user}worker_processes 1;\ndaemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n  sendfile on;\n  client_body_temp_path {here}/a;\n  proxy_temp_path {here}/b;\n  fastcgi_temp_path {here}/c;\n  uwsgi_temp_path {here}/d;\n  scgi_temp_path {here}/e;\n  server {{\n    listen {host}:{port} ssl;\n    ssl_certificate {here}/certificate.pem;\n    ssl_certificate_key {here}/key.pem;\n    ssl_protocols TLSv1.3;\n    root {served};\n    autoindex on;\n  }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config)?;
        self._servers.push(self.place.start(&mut self.place.server(&nginx, &["-p", here, "-c", text(&file)?]), port)?);
        Ok((port, certificate))
    }

    fn nginx(&mut self, served: &Path, work: &Path) -> anyhow::Result<()> {
        let (port, certificate) = self.start_nginx(served, work)?;
        let certificate = text(&certificate)?.to_owned();
        match installed("curl") {
            Ok(curl) => {
                let certificate = certificate.clone();
                self.add("curl from nginx, TLS", move |place, name, to| {
                    let mut command = place.client(&curl, &["--silent", "--show-error", "--fail", "--cacert", &certificate, "--output"]);
                    command.arg(to.join(name)).arg(format!("https://{}:{port}/{name}", place.host));
                    command
                });
            }
            Err(why) => self.lacks("curl from nginx, TLS", &why),
        }
        match installed("aria2c") {
            Ok(aria2) => self.add("aria2c from nginx, TLS", move |place, name, to| {
                let certificate = format!("--ca-certificate={certificate}");
                let mut command =
                    place.client(&aria2, &["--quiet", "--split=4", "--max-connection-per-server=4", "--file-allocation=none", &certificate, "--dir"]);
                command.arg(to).arg(format!("https://{}:{port}/{name}", place.host));
                command
            }),
            Err(why) => self.lacks("aria2c from nginx, TLS", &why),
        }
        Ok(())
    }

    fn rclone(&mut self, served: &Path, work: &Path) -> anyhow::Result<()> {
        let rclone = installed("rclone")?;
        let (port, certificate) = self.start_nginx(served, work)?;
        let (url, certificate) = (format!("https://{}:{port}/", self.place.host), format!("--ca-cert={}", text(&certificate)?));
        self.add("rclone from nginx, TLS", move |place, name, to| {
            let mut command = place.client(&rclone, &["copy", "--config=", "--quiet", &certificate, "--http-url", &url]);
            command.arg(format!(":http:{name}")).arg(to);
            command
        });
        Ok(())
    }

    fn rclone_http(&mut self, served: &Path, _work: &Path) -> anyhow::Result<()> {
        let (rclone, port) = (installed("rclone")?, free_port()?);
        let mut serve = self.place.server(&rclone, &["serve", "http", "--config=", "--read-only", "--addr", &format!("{}:{port}", self.place.host)]);
        serve.arg(served);
        self._servers.push(self.place.start(&mut serve, port)?);
        let url = format!("http://{}:{port}/", self.place.host);
        self.add("rclone http (plain)", move |place, name, to| {
            let mut command = place.client(&rclone, &["copy", "--config=", "--quiet", "--http-url", &url]);
            command.arg(format!(":http:{name}")).arg(to);
            command
        });
        Ok(())
    }
}

/// An SSH server with throw-away keys.
struct Ssh {
    user: String,
    port: u16,
    options: Vec<String>,
}

impl Ssh {
    fn start(rivals: &mut Rivals, work: &Path) -> anyhow::Result<Self> {
        let (sshd, keygen, ssh) = (installed("sshd")?, installed("ssh-keygen")?, installed("ssh")?);
        let privileged = Path::new("/run/sshd");
        if rustix::process::getuid().is_root() && !privileged.is_dir() {
            // As root it insists on this empty folder, which otherwise its service makes.
            std::fs::create_dir(privileged)?;
            rivals._folders.push(EmptyFolder(privileged.into()));
        }
        let port = free_port()?;
        let folder = work.join(format!("ssh-{port}"));
        std::fs::create_dir(&folder)?;
        let here = text(&folder)?;
        for key in ["host", "user"] {
            timed(&mut through(&[], &keygen, &["-q", "-t", "ed25519", "-N", "", "-f", text(&folder.join(key))?]))?;
        }
        let config = folder.join("sshd_config");
        let place = rivals.place.clone();
        let host = place.host;
        std::fs::write(
            &config,
            format!(
                "ListenAddress {host}:{port}\nHostKey {here}/host\nAuthorizedKeysFile {here}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            ),
        )?;
        rivals._servers.push(place.start(&mut place.server(&sshd, &["-D", "-e", "-f", text(&config)?]), port)?);
        let known = format!("UserKnownHostsFile={here}/known_hosts");
        let mut options: Vec<String> = ["-F", "/dev/null", "-i", &format!("{here}/user")].map(str::to_owned).to_vec();
        // The fastest cipher where a processor has AES, and what both sides take anyway.
        for option in ["BatchMode=yes", "StrictHostKeyChecking=no", &known, "LogLevel=ERROR", "Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com"] {
            options.extend(["-o".to_owned(), option.into()]);
        }
        let user = String::from_utf8_lossy(&Command::new("id").arg("-un").output()?.stdout).trim().to_owned();
        // Some accounts are locked, and some systems forbid the rest.
        let trial = place.client(&ssh, &[]).args(&options).args(["-p", &port.to_string(), &format!("{user}@{}", place.host), "true"]).output()?;
        if !trial.status.success() {
            bail!("our own sshd does not let us in: {}", String::from_utf8_lossy(&trial.stderr).trim());
        }
        Ok(Self { user, port, options })
    }
}
