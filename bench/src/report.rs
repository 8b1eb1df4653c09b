//! Results: a table for people, JSON for programs.
//!
//! A ratio is the median of the ratios within each round of an interleaved run, and not the ratio of two medians: what slowed the machine in one round slowed both.

use std::fmt;

use serde_json::{Value, json};

use crate::Settings;
use crate::machine::Size;

/// What the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Of a whole run.
    Seconds,
    /// Of something small.
    Microseconds,
    /// Of something in between.
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
        }
    }
}

/// One of the compared: a sample for each round.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it is.
    pub(crate) name: String,
    /// How long it took, in the table's unit.
    pub(crate) samples: Vec<f64>,
    /// How long until the result was on the disk, if that was waited for too.
    pub(crate) synced: Vec<f64>,
}

/// What one benchmark found.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The benchmark, and what of it.
    pub(crate) title: String,
    /// Of the samples.
    pub(crate) unit: Unit,
    /// What moved in each run, for throughput.
    pub(crate) bytes: Option<u64>,
    /// Files that moved in each run.
    pub(crate) files: Option<u64>,
    /// In the order in which they ran.
    pub(crate) rows: Vec<Row>,
    /// What was not compared, and why.
    pub(crate) absent: Vec<(String, String)>,
    /// What else was found: ratios and memory, for instance.
    pub(crate) facts: Vec<(String, Value)>,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(title: impl Into<String>, unit: Unit) -> Self {
        Self { title: title.into(), unit, bytes: None, files: None, rows: Vec::new(), absent: Vec::new(), facts: Vec::new() }
    }

    /// The row of this name.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Notes something else that was found.
    pub(crate) fn fact(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.facts.push((name.into(), value.into()));
    }

    /// How many times longer one takes than another, if both are there.
    pub(crate) fn ratio(&self, one: &str, other: &str) -> Option<f64> {
        ratio(&self.row(one)?.samples, &self.row(other)?.samples)
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let against = self.rows.first().and_then(|first| ratio(&row.samples, &first.samples)).map(rounded);
                json!({
                    "name": row.name, "unit": self.unit.name(), "median": rounded(median(&row.samples)), "samples": row.samples.iter().copied().map(rounded).collect::<Vec<_>>(),
                    "median_synced": (!row.synced.is_empty()).then(|| rounded(median(&row.synced))), "against_first": against,
                })
            })
            .collect();
        let absent: Vec<Value> = self.absent.iter().map(|(name, why)| json!({"name": name, "why": why})).collect();
        json!({"title": self.title, "bytes": self.bytes, "files": self.files, "rows": rows, "absent": absent, "facts": self.facts.iter().cloned().collect::<serde_json::Map<_, _>>()})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(12) + 2;
        let synced = self.rows.iter().any(|row| !row.synced.is_empty());
        if let Some(first) = self.rows.first() {
            write!(f, "{:<width$}{:>10}{:>16}", "", self.unit.name(), "from - to")?;
            if self.bytes.is_some() {
                write!(f, "{:>8}", "MB/s")?;
            }
            if self.files.is_some() {
                write!(f, "{:>9}", "files/s")?;
            }
            if synced {
                write!(f, "{:>10}", "synced")?;
            }
            writeln!(f, "  time against {}", first.name)?;
            for row in &self.rows {
                let median = median(&row.samples);
                let (least, most) = row.samples.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), &sample| (least.min(sample), most.max(sample)));
                write!(f, "{:<width$}{:>10.3}{:>16}", row.name, median, format!("{least:.2} - {most:.2}"))?;
                if let Some(bytes) = self.bytes {
                    write!(f, "{:>8.0}", bytes as f64 / 1e6 / median)?;
                }
                if let Some(files) = self.files {
                    write!(f, "{:>9.0}", files as f64 / median)?;
                }
                match (synced, row.synced.is_empty()) {
                    (true, false) => write!(f, "{:>10.3}", self::median(&row.synced))?,
                    (true, true) => write!(f, "{:>10}", "")?,
                    _ => {}
                }
                match ratio(&row.samples, &first.samples) {
                    Some(ratio) => writeln!(f, "{ratio:>9.2}x")?,
                    None => writeln!(f)?,
                }
            }
        }
        for (name, value) in &self.facts {
            match value.as_str() {
                Some(text) => writeln!(f, "{name}: {text}")?,
                None => writeln!(f, "{name}: {value}")?,
            }
        }
        for (name, why) in &self.absent {
            writeln!(f, "not compared: {name}: {why}")?;
        }
        Ok(())
    }
}

/// All results, with how they were made.
pub(crate) fn json(settings: &Settings, tables: &[Table]) -> Value {
    json!({"runs": settings.runs, "size": settings.size.map(Size::bytes), "tables": tables.iter().map(Table::json).collect::<Vec<_>>()})
}

/// The one in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 50.0)
}

/// The sample below which so many of a hundred are.
pub(crate) fn percentile(samples: &[f64], percent: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (percent / 100.0 * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios in each round.
pub(crate) fn ratio(one: &[f64], other: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// Three digits after the point are more than the machine is worth.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_a_percentile_where_it_says() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((percentile(&hundred, 99.0) - 99.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was ten times slower in the second round, for both.
        let ratio = ratio(&[1.0, 10.0, 1.2], &[2.0, 20.0, 2.4]).unwrap();
        assert!((ratio - 0.5).abs() < 1e-9);
        assert_eq!(super::ratio(&[], &[1.0]), None);
    }

    #[test]
    fn a_table_names_what_is_missing_and_compares_with_the_first() {
        let mut table = Table::new("one file", Unit::Seconds);
        table.bytes = Some(1_000_000);
        table.rows.push(Row { name: "ours".into(), samples: vec![2.0], synced: vec![] });
        table.rows.push(Row { name: "theirs".into(), samples: vec![1.0], synced: vec![1.5] });
        table.absent.push(("other".into(), "not installed".into()));
        let text = table.to_string();
        assert!(text.contains("0.50x") && text.contains("not compared: other: not installed") && text.contains("1.500"), "{text}");
        assert!((table.ratio("ours", "theirs").unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(table.json()["rows"][1]["against_first"], 0.5);
    }
}
