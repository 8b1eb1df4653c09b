//! `tests.toml`: which nodes, with which packages, and what to run on them.
//!
//! A test is a script of a package (see docs/package-manifest.md): it is started on one of the nodes, with arguments, and its answer is the result. `{"err": {"file", "line", "message"}}`, or
//! `{"err": "message"}`, is a failure; anything else is a success. What is not said has a default; unknown keys are errors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::nodes::{MOST, Where, names};
use crate::cli::error::{CliError, Kind};
use crate::cli::units::parse_time;

/// The file's name in a package's folder.
pub(super) const FILE_NAME: &str = "tests.toml";
/// How long a test may take if nothing is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The file, understood.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// The names of the nodes.
    pub(super) nodes: Vec<String>,
    pub(super) place: Where,
    /// Folders and files of packages, in the order in which they are installed.
    pub(super) packages: Vec<PathBuf>,
    pub(super) tests: Vec<Test>,
}

/// One of its tests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Test {
    pub(super) name: String,
    /// `NAME:PUBLISHER`, or a name; none: the last package.
    pub(super) package: Option<String>,
    pub(super) script: String,
    pub(super) arguments: Vec<String>,
    /// The node that it is started on.
    pub(super) node: String,
    pub(super) timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    #[serde(default)]
    nodes: Nodes,
    #[serde(default)]
    run: Run,
    timeout: Option<String>,
    #[serde(default = "own_package")]
    packages: Vec<PathBuf>,
    test: Vec<WrittenTest>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Nodes {
    Count(usize),
    Names(Vec<String>),
}

impl Default for Nodes {
    fn default() -> Self {
        Self::Count(1)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum Run {
    #[default]
    Processes,
    OneProcess,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenTest {
    name: String,
    package: Option<String>,
    #[serde(default = "test_script")]
    script: String,
    arguments: Option<Vec<String>>,
    node: Option<String>,
    timeout: Option<String>,
}

fn own_package() -> Vec<PathBuf> {
    vec![".".into()]
}

fn test_script() -> String {
    "test".into()
}

/// Reads the plan of a package's folder.
pub(super) fn read(folder: &Path) -> Result<Plan, CliError> {
    let path = folder.join(FILE_NAME);
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CliError::new(Kind::NotFound, format!("{} is not there", path.display()))
            .hint("it says which nodes and packages there are and which scripts test them; docs/testing-packages.md shows one"),
        _ => CliError::io(&path, &error),
    })?;
    parse(&text).map_err(|why| CliError::usage(format!("{}: {why}", path.display())))
}

fn parse(text: &str) -> Result<Plan, String> {
    let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
    let nodes = match written.nodes {
        Nodes::Count(count) => names(count),
        Nodes::Names(names) => names,
    };
    if nodes.is_empty() || nodes.len() > MOST {
        return Err(format!("nodes: 1 to {MOST}"));
    }
    let time = |text: &Option<String>| text.as_deref().map(parse_time).transpose();
    let usual = time(&written.timeout)?.unwrap_or(TIMEOUT);
    let mut tests = Vec::new();
    for test in written.test {
        let node = test.node.or_else(|| nodes.first().cloned()).unwrap_or_default();
        if !nodes.contains(&node) {
            return Err(format!("test '{}': there is no node '{node}'; there are: {}", test.name, nodes.join(", ")));
        }
        let timeout = time(&test.timeout)?.unwrap_or(usual);
        let arguments = test.arguments.unwrap_or_else(|| vec![test.name.clone()]);
        tests.push(Test { name: test.name, package: test.package, script: test.script, arguments, node, timeout });
    }
    let place = match written.run {
        Run::Processes => Where::Processes,
        Run::OneProcess => Where::Inside,
    };
    Ok(Plan { nodes, place, packages: written.packages, tests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_needs_little_and_the_rest_has_defaults() {
        let plan = parse("[[test]]\nname = \"it answers\"").unwrap();
        assert_eq!((plan.nodes.as_slice(), plan.place, plan.packages.as_slice()), (&["alice".to_owned()][..], Where::Processes, &[PathBuf::from(".")][..]));
        let [test] = plan.tests.as_slice() else { panic!("one test") };
        assert_eq!(
            (test.script.as_str(), test.arguments.as_slice(), test.node.as_str(), test.timeout),
            ("test", &["it answers".to_owned()][..], "alice", TIMEOUT)
        );
    }

    #[test]
    fn all_of_it_can_be_said() {
        let text = "nodes = [\"north\", \"south\"]\nrun = \"one-process\"\ntimeout = \"2m\"\npackages = [\".\", \"tests\"]\n
            [[test]]\nname = \"a\"\npackage = \"b:c\"\nscript = \"d\"\narguments = [\"e\", \"f\"]\nnode = \"south\"\ntimeout = \"5s\"\n[[test]]\nname = \"g\"";
        let plan = parse(text).unwrap();
        assert_eq!((plan.nodes.len(), plan.place, plan.packages.len(), plan.tests.len()), (2, Where::Inside, 2, 2));
        let arguments = vec!["e".into(), "f".into()];
        let test = Test { name: "a".into(), package: Some("b:c".into()), script: "d".into(), arguments, node: "south".into(), timeout: Duration::from_secs(5) };
        assert_eq!((plan.tests.first(), plan.tests.last().map(|test| test.timeout)), (Some(&test), Some(Duration::from_secs(120))));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_place() {
        for (text, wrong) in [
            ("nodes = 0\ntest = []", "nodes: 1 to 64"),
            ("nodse = 2\ntest = []", "nodse"),
            ("nodes = 1", "test"),
            ("[[test]]\nname = \"a\"\nnode = \"bob\"", "test 'a': there is no node 'bob'; there are: alice"),
            ("[[test]]\nname = \"a\"\ntimeout = \"soon\"", "'soon' is not a time"),
            ("run = \"somewhere\"\ntest = []", "somewhere"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(wrong), "{text}: {said}");
        }
    }
}
