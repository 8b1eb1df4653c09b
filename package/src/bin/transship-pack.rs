//! `transship-pack`: makes the one-file form of a package out of its folder.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use transship_package::{Package, source};

const HELP: &str = "\
transship-pack: makes one file out of a package's folder

Usage: transship-pack FOLDER --out FILE [--components DIR]...

  FOLDER            holds package.toml
  --out FILE        where the package goes, such as file-transfer.transship
  --components DIR  where built components are, besides FOLDER; see [build] in package.toml

FILE is left alone if it is that package already.
";

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            let _ = writeln!(std::io::stdout(), "{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "transship-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<String> {
    let (mut folder, mut out, mut components) = (None, None, Vec::new());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().map(PathBuf::from).with_context(|| format!("{} needs a value; see --help", argument.display()));
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(HELP.into()),
            Some("--out") => out = Some(value()?),
            Some("--components") => components.push(value()?),
            Some(option) if option.starts_with('-') => bail!("there is no option {option}; see --help"),
            _ if folder.is_none() => folder = Some(PathBuf::from(&argument)),
            _ => bail!("one folder at a time; see --help"),
        }
    }
    let (Some(folder), Some(out)) = (folder, out) else { bail!("a folder and --out are needed; see --help") };
    let package = source::load(&folder, &components)?;
    let manifest = package.manifest();
    let name = format!("{}:{} {} ({})", manifest.name, manifest.publisher, manifest.version, package.digest().get(..12).unwrap_or_default());
    // Left alone, so that what embeds the file is not built again.
    if Package::read(&out).is_ok_and(|there| there == package) {
        return Ok(format!("{name} is up to date in {}", out.display()));
    }
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    package.write(&out)?;
    Ok(format!("packed {name} into {}", out.display()))
}
