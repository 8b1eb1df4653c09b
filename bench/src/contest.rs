//! Those that are compared take turns: A B C, B C A, C A B …, so that a slow minute of the machine hits all alike, and so does whatever is particular about being the first.
//!
//! Before each run, memory is made ready and a fresh folder made; after it, outside of the time, the result is synced (which is timed apart) and checked.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::Settings;
use crate::machine::{sync_all, warm_memory};
use crate::report::Row;

/// Makes the result in the folder that it is given, and says how long that took. Nothing is in the folder.
type Run<'a> = Box<dyn FnMut(&Path) -> anyhow::Result<Duration> + 'a>;

/// Who is compared.
pub(crate) struct Contestant<'a> {
    name: String,
    run: Run<'a>,
}

impl<'a> Contestant<'a> {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// One of this name.
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(&Path) -> anyhow::Result<Duration> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What becomes of a result that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is removed at once: a large file.
    Remove,
    /// It stays until the end: removing thousands of files makes creating the next thousands slow for a while.
    Keep,
}

/// How a contest goes.
pub(crate) struct Contest<'a> {
    /// What to run, and how often.
    pub(crate) settings: &'a Settings,
    /// An empty folder.
    pub(crate) folder: &'a Path,
    /// How much memory each needs.
    pub(crate) bytes: u64,
    /// What becomes of results.
    pub(crate) then: Then,
}

impl Contest<'_> {
    /// Runs all, checks what each made, and returns a row for each.
    pub(crate) fn run(&self, contestants: Vec<Contestant<'_>>, check: impl Fn(&Path) -> anyhow::Result<()>) -> anyhow::Result<Vec<Row>> {
        let mut rows: Vec<Row> = contestants.iter().map(|contestant| Row { name: contestant.name.clone(), samples: Vec::new(), synced: Vec::new() }).collect();
        let mut turns: Vec<_> = contestants.into_iter().zip(&mut rows).collect();
        for round in 0..self.settings.runs {
            for (place, (contestant, row)) in turns.iter_mut().enumerate() {
                let folder = self.folder.join(format!("{round}-{place}"));
                std::fs::create_dir(&folder).with_context(|| format!("{}", folder.display()))?;
                sync_all(&folder)?;
                warm_memory(self.bytes);
                let time = (contestant.run)(&folder).with_context(|| contestant.name.clone())?;
                let begun = Instant::now();
                sync_all(&folder)?;
                let synced = time + begun.elapsed();
                row.samples.push(time.as_secs_f64());
                row.synced.push(synced.as_secs_f64());
                eprintln!(
                    "round {} of {}: {:<28}{:>8.3} s, on the disk after {:.3} s",
                    round + 1,
                    self.settings.runs,
                    row.name,
                    time.as_secs_f64(),
                    synced.as_secs_f64()
                );
                check(&folder).with_context(|| format!("what {} brought is not what it was given", contestant.name))?;
                if self.then == Then::Remove {
                    std::fs::remove_dir_all(&folder)?;
                }
            }
            let first = turns.len().min(1);
            turns.rotate_left(first);
        }
        Ok(rows)
    }
}
