//! Asking the node's owner: what a package wants is shown, and a yes is waited for, to all of it or to parts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, IsTerminal as _};

use transship::package::Package;
use transship::package::grants::PackageGrants;
use transship::package::{Ask, shelf};

use super::show::{lines, meaning};
use crate::cli::error::{CliError, Kind};
use crate::cli::ui::aside;

/// What is lacking, by process or script.
type Lacking = BTreeMap<String, BTreeSet<Ask>>;

/// What `--grant` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Ask.
    Ask,
    /// Yes to all.
    All,
    /// Yes to these, each for all that ask for it or, as `PROCESS/ASK`, for one.
    Only(Vec<String>),
}

impl Answer {
    /// Of the option's values; none: it was not given.
    pub(super) fn of(values: Option<&[String]>) -> Self {
        match values {
            None => Self::Ask,
            Some(values) if values.iter().any(|value| value == "all") => Self::All,
            Some(values) => Self::Only(values.to_vec()),
        }
    }
}

/// What a package is granted from now on: what it was before, and what the owner says yes to.
pub(super) fn choose(package: &Package, before: &PackageGrants, answer: &Answer) -> Result<PackageGrants, CliError> {
    let lacking = before.lacking(package.manifest());
    let mut grants = before.clone();
    let more = match answer {
        Answer::All => lacking,
        Answer::Only(wanted) => only(package, &lacking, wanted)?,
        Answer::Ask if lacking.is_empty() && !before.processes.is_empty() => Lacking::new(),
        Answer::Ask => ask(package, &lacking)?,
    };
    grants.grant(more);
    // An entry, also if nothing is asked for: the owner has seen it.
    for process in package.manifest().asks().into_keys() {
        grants.processes.entry(process).or_default();
    }
    Ok(grants)
}

fn only(package: &Package, lacking: &Lacking, wanted: &[String]) -> Result<Lacking, CliError> {
    let mut chosen = Lacking::new();
    for text in wanted {
        let (process, ask) = parse(text)?;
        let for_it = |name: &str| process.is_none_or(|process| process == name);
        if !package.manifest().asks().iter().any(|(name, asks)| for_it(name) && asks.contains(&ask)) {
            return Err(CliError::usage(format!("{} does not ask for {text}", shelf::id(package))).hint("`transship package show` shows what it asks for"));
        }
        for name in lacking.iter().filter(|(name, asks)| for_it(name) && asks.contains(&ask)).map(|(name, _)| name) {
            chosen.entry(name.clone()).or_default().insert(ask.clone());
        }
    }
    Ok(chosen)
}

/// Reads `ASK`, or `PROCESS/ASK` for one process or script.
pub(super) fn parse(text: &str) -> Result<(Option<&str>, Ask), CliError> {
    let (process, ask) = text.split_once('/').map_or((None, text), |(process, ask)| (Some(process), ask));
    Ok((process, ask.parse().map_err(|error| CliError::usage(format!("{error}")))?))
}

/// Shows what it asks for, and waits for the answer.
fn ask(package: &Package, lacking: &Lacking) -> Result<Lacking, CliError> {
    let refused = |why: &str| {
        CliError::named(Kind::Denied, "not-granted", format!("nothing was changed for {}: {why}", shelf::id(package)))
            .hint("`transship package show FILE` shows what it asks for; --grant says yes to that, --grant=ASK,... to a part")
    };
    lines(package, None).iter().for_each(|line| aside(line));
    if !io::stdin().is_terminal() {
        return Err(refused("nobody is there to say yes"));
    }
    aside("install it and allow all of this? [y]es, [n]o, or [s]ome of it [y/N/s]");
    match line()?.as_str() {
        "y" | "yes" => Ok(lacking.clone()),
        "s" | "some" => some(lacking),
        _ => Err(refused("the answer was not yes")),
    }
}

fn some(lacking: &Lacking) -> Result<Lacking, CliError> {
    let mut chosen = Lacking::new();
    for (process, asks) in lacking {
        for ask in asks {
            aside(&format!("{process}: {} [y/N]", meaning(ask)));
            if matches!(line()?.as_str(), "y" | "yes") {
                chosen.entry(process.clone()).or_default().insert(ask.clone());
            }
        }
    }
    Ok(chosen)
}

fn line() -> Result<String, CliError> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| CliError::io("standard input".as_ref(), &error))?;
    Ok(answer.trim().to_lowercase())
}
