//! `--include`, `--exclude` and `--exclude-from`: which names of a folder take part. They are kept in the order of the command line, since the last that matches a name counts.

use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, PathBufValueParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// A larger file is none of patterns.
const MAX_FILE: u64 = 1 << 20;

/// What one option, or one line of a file, says. The text is a pattern as in `.gitignore`, without a `!` of its own meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Include(String),
    Exclude(String),
    /// What was excluded takes part all the same; it restricts nothing.
    Again(String),
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FilterArgs(Vec<Rule>);

impl FilterArgs {
    /// In the words of the package: globs, with `!` before those that leave something out.
    pub(super) fn globs(&self) -> Vec<String> {
        let restricted = self.0.iter().any(|rule| matches!(rule, Rule::Include(_)));
        let again = self.0.iter().any(|rule| matches!(rule, Rule::Again(_)));
        // There, a glob without '!' means that nothing else takes part: so everything does first.
        let everything = (again && !restricted).then(|| "*".to_owned());
        let rules = self.0.iter().map(|rule| match rule {
            // What begins with '!' or '#' means something else there.
            Rule::Include(glob) | Rule::Again(glob) if glob.starts_with(['!', '#']) => format!("\\{glob}"),
            Rule::Include(glob) | Rule::Again(glob) => glob.clone(),
            Rule::Exclude(glob) => format!("!{glob}"),
        });
        everything.into_iter().chain(rules).collect()
    }
}

/// The rules in a file like a `.gitignore`.
fn read_rules(path: &Path) -> Result<Vec<Rule>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_FILE {
        return Err(format!("it has {length} bytes: a file with patterns has at most {MAX_FILE}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(rules_of(&text))
}

fn rules_of(text: &str) -> Vec<Rule> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
    let said = lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    said.map(|line| match line.strip_prefix('!') {
        Some(glob) => Rule::Again(glob.into()),
        None => Rule::Exclude(line.into()),
    })
    .collect()
}

/// What each option adds, with its place in the command line.
fn placed<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str, rules: impl Fn(T) -> Vec<Rule>) -> Vec<(usize, Vec<Rule>)> {
    let places = matches.indices_of(id).into_iter().flatten();
    let values = matches.get_many::<T>(id).into_iter().flatten();
    places.zip(values.map(|value| rules(value.clone()))).collect()
}

impl FromArgMatches for FilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut placed: Vec<_> = placed::<String>(matches, "include", |glob| vec![Rule::Include(glob)])
            .into_iter()
            .chain(placed::<String>(matches, "exclude", |glob| vec![Rule::Exclude(glob)]))
            .chain(placed::<Vec<Rule>>(matches, "exclude_from", |rules| rules))
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        Ok(Self(placed.into_iter().flat_map(|(_, rules)| rules).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for FilterArgs {
    fn augment_args(command: Command) -> Command {
        let option = |id, name| Arg::new(id).long(name).action(ArgAction::Append).requires("folder");
        let glob = |id| option(id, id).value_name("GLOB").value_parser(NonEmptyStringValueParser::new());
        let read = PathBufValueParser::new().try_map(|path: PathBuf| read_rules(&path));
        command
            .arg(glob("include").help(
                "Only files that match, as in .gitignore: '*.jpg', '/top/**'; may be given several times. Of this and the next two, the last on the command line that matches a name counts",
            ))
            .arg(glob("exclude").help("Leave out what matches, a folder with all that is in it; may be given several times"))
            .arg(option("exclude_from", "exclude-from").value_name("FILE").value_parser(read).help(
                "Leave out what matches a line of a file; empty lines and those with '#' are skipped, and '!' lets in again what an earlier one leaves out, as in .gitignore",
            ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Vec<String>, clap::Error> {
        let command = FilterArgs::augment_args(Command::new("x").arg(Arg::new("folder").short('r').action(ArgAction::SetTrue)));
        let matches = command.try_get_matches_from([&["x", "-r"], words].concat())?;
        FilterArgs::from_arg_matches(&matches).map(|args| args.globs())
    }

    #[test]
    fn patterns_keep_the_order_of_the_command_line() {
        let globs = parse(&["--include", "*.jpg", "--exclude", "b*", "--include", "best.jpg", "--exclude", "/top", "--include", "!x"]).unwrap();
        assert_eq!(globs, ["*.jpg", "!b*", "best.jpg", "!/top", "\\!x"]);
        assert_eq!(parse(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_file_of_patterns_follows_the_rules_of_gitignore() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patterns");
        std::fs::write(&file, "\u{feff}# logs\r\n*.log\r\n\n  \n!keep.log\n\\#odd\n!\\!odd\n").unwrap();
        let file = file.to_str().unwrap();
        let rules = ["!*.log", "keep.log", "!\\#odd", "\\!odd"];
        // Everything else takes part, as if there were no line with '!'.
        assert_eq!(parse(&["--exclude-from", file]).unwrap(), [&["*"], &rules[..]].concat());
        // Unless the command line says what does.
        let all = parse(&["--exclude", "a", "--exclude-from", file, "--include", "b"]).unwrap();
        assert_eq!(all, [&["!a"], &rules[..], &["b"]].concat());
    }

    #[test]
    fn a_file_of_patterns_that_can_not_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
        for path in [folder.path().join("missing"), large] {
            let error = parse(&["--exclude-from", path.to_str().unwrap()]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
