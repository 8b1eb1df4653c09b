//! Names of a directory's entries: the smallest of however many there are, kept in little memory.
//!
//! All text is in one piece, and a name takes [`PLACE`] bytes beside it. What is held while a directory is read is at most half as much again as is to be kept at the end: then the greatest are thrown
//! away, for which each name is looked at a few times, however they came.

use std::cmp::Ordering;

/// From so many names on, their memory comes from the system and goes back to it, which allocators see to if they are asked for so many bytes at once. Smaller pieces they keep when they are given back, and for each thread
/// apart: a node that read a directory of a million names had 30 MiB more afterwards. What is not written to takes no memory.
const MANY: usize = 4_096;
const FROM_SYSTEM: usize = 33 << 20;

/// A name's place in the text: what it is called, followed by how that is spelled in the directory, if otherwise (else the length is 0).
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    name: u16,
    spelling: u16,
}

/// What a name takes beside its text, in bytes.
pub(super) const PLACE: usize = size_of::<Place>();

impl Place {
    fn length(self) -> usize {
        usize::from(self.name) + usize::from(self.spelling)
    }

    fn cost(self) -> usize {
        self.length() + PLACE
    }

    fn text(self, all: &[u8]) -> &[u8] {
        part(all, self.start as usize, self.length())
    }

    /// By name; the entry that is spelled like its name comes before others of that name.
    fn compare(self, other: Self, all: &[u8]) -> Ordering {
        let name = |place: Self| part(all, place.start as usize, place.name.into());
        name(self).cmp(name(other)).then(self.spelling.cmp(&other.spelling))
    }
}

fn part(all: &[u8], start: usize, length: usize) -> &[u8] {
    all.get(start..start + length).unwrap_or_default()
}

/// A name, and its spelling in the directory where that differs.
pub(super) type Name<'a> = (&'a str, Option<&'a str>);

/// Names in byte order, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    places: Vec<Place>,
}

impl Names {
    /// Those greater than `after`.
    pub(super) fn after(&self, after: Option<&str>) -> impl Iterator<Item = Name<'_>> + use<'_> {
        let passed = after.map_or(0, |after| self.places.partition_point(|place| self.name(*place).0 <= after));
        self.places.iter().skip(passed).map(|place| self.name(*place))
    }

    pub(super) fn last(&self) -> Option<&str> {
        self.places.last().map(|place| self.name(*place).0)
    }

    /// How many bytes they take.
    pub(super) fn cost(&self) -> usize {
        self.text.len() + self.places.len() * PLACE
    }

    fn name(&self, place: Place) -> Name<'_> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let (name, spelling) = place.text(&self.text).split_at_checked(place.name.into()).unwrap_or_default();
        (text(name), (!spelling.is_empty()).then(|| text(spelling)))
    }

    fn push(&mut self, name: &str, spelling: Option<&str>) {
        let spelling = spelling.unwrap_or_default();
        // There is never so much text, and no name is so long.
        let (Ok(start), Ok(name_length), Ok(spelling_length)) = (self.text.len().try_into(), name.len().try_into(), spelling.len().try_into()) else { return };
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(spelling.as_bytes());
        self.places.push(Place { start, name: name_length, spelling: spelling_length });
        if self.places.len() == MANY {
            // If the system has no such room, they grow as they need to.
            let _ = self.text.try_reserve_exact(FROM_SYSTEM).and_then(|()| self.places.try_reserve_exact(FROM_SYSTEM / PLACE));
        }
    }

    /// Gives back the memory of names that are not kept any more; changes the order.
    fn compact(&mut self) {
        self.places.sort_unstable_by_key(|place| place.start);
        let mut end = 0;
        for place in &mut self.places {
            let from = place.start as usize;
            self.text.copy_within(from..from + place.length(), end);
            place.start = u32::try_from(end).unwrap_or(place.start);
            end += place.length();
        }
        self.text.truncate(end);
    }
}

/// Collects the smallest names greater than one.
#[derive(Debug)]
pub(super) struct Smallest<'a> {
    after: Option<&'a str>,
    /// So many names are kept, if there are so many.
    least: usize,
    /// More are while all together take no more bytes than this.
    bytes: usize,
    names: Names,
    /// What they take now.
    cost: usize,
    /// The greatest that is kept; beyond it, names were thrown away.
    end: Option<String>,
}

impl<'a> Smallest<'a> {
    pub(super) fn new(after: Option<&'a str>, least: usize, bytes: usize) -> Self {
        Self { after, least, bytes, names: Names::default(), cost: 0, end: None }
    }

    /// Whether a name, as far as it is known, is one of the smallest.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.after.is_none_or(|after| name > after) && self.end.as_deref().is_none_or(|end| name <= end)
    }

    /// Adds a name that is wanted.
    pub(super) fn add(&mut self, name: &str, spelling: Option<&str>) {
        self.names.push(name, spelling);
        self.cost += self.names.places.last().map_or(0, |place| place.cost());
        if self.names.places.len() > self.least + self.least / 2 && self.cost > self.bytes + self.bytes / 2 {
            self.cut();
        }
    }

    /// The smallest, and whether they are all there are.
    pub(super) fn done(mut self) -> (Names, bool) {
        if self.names.places.len() > self.least && self.cost > self.bytes {
            self.cut();
        }
        let Names { text, places } = &mut self.names;
        places.sort_unstable_by(|one, other| one.compare(*other, text));
        // If both spellings are there, the one that paths have is the one that is opened.
        places.dedup_by(|one, other| part(text, one.start as usize, one.name.into()) == part(text, other.start as usize, other.name.into()));
        text.shrink_to_fit();
        places.shrink_to_fit();
        (self.names, self.end.is_none())
    }

    /// Throws away all but the smallest: parts the names at their median, and goes on with the half in which the border is.
    fn cut(&mut self) {
        let Names { text, places } = &mut self.names;
        let (mut from, mut to, mut cost) = (0, places.len(), 0);
        while let Some(open) = places.get_mut(from..to).filter(|open| !open.is_empty()) {
            let middle = open.len() / 2;
            open.select_nth_unstable_by(middle, |one, other| one.compare(*other, text));
            let below: usize = open.iter().take(middle + 1).map(|place| place.cost()).sum();
            if from + middle < self.least || cost + below <= self.bytes {
                (from, cost) = (from + middle + 1, cost + below);
            } else {
                to = from + middle;
            }
        }
        if from < places.len() {
            places.truncate(from);
            let last = places.iter().copied().max_by(|one, other| one.compare(*other, text));
            self.end = last.map(|place| self.names.name(place).0.to_owned());
            self.names.compact();
            self.cost = cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(all: &[&str], after: Option<&str>, least: usize, bytes: usize) -> (Vec<String>, bool, usize) {
        let mut smallest = Smallest::new(after, least, bytes);
        let mut most = 0;
        for name in all {
            if smallest.wants(name) {
                smallest.add(name, None);
                assert_eq!(smallest.cost, smallest.names.cost());
                most = most.max(smallest.cost);
            }
        }
        let (names, whole) = smallest.done();
        let found = names.after(None).map(|(name, _)| name.to_owned()).collect();
        (found, whole, most)
    }

    /// Names of different lengths, in some order.
    fn some(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{}{}", number * 7919 % count, "x".repeat(number % 13))).collect()
    }

    #[test]
    fn the_smallest_are_kept_in_order_whatever_the_order_they_come_in() {
        let names = some(3000);
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let reversed: Vec<&str> = sorted.iter().rev().copied().collect();
        let mixed: Vec<&str> = names.iter().map(String::as_str).collect();
        for (least, bytes) in [(1, 0), (10, 0), (1, 1000), (100, 5000), (2999, 0), (3000, 0), (5, 1 << 20)] {
            for after in [None, Some(""), Some("1500"), Some("99"), Some("~")] {
                let rest: Vec<&str> = sorted.iter().copied().filter(|name| after.is_none_or(|after| *name > after)).collect();
                for order in [&sorted, &reversed, &mixed] {
                    let (found, whole, most) = collect(order, after, least, bytes);
                    let costs = rest.iter().scan(0, |cost, name| {
                        *cost += name.len() + PLACE;
                        Some(*cost)
                    });
                    let fits = costs.take_while(|cost| *cost <= bytes).count();
                    assert_eq!(found, rest[..fits.max(least).min(rest.len())], "{least} or {bytes} bytes after {after:?}");
                    assert_eq!(whole, found.len() == rest.len());
                    assert!(most <= 3 * bytes.max(least * 30) / 2 + 60, "{most} bytes for {least} names or {bytes} bytes");
                }
            }
        }
    }

    #[test]
    fn of_two_spellings_of_a_name_the_one_that_paths_have_counts() {
        for turned in [false, true] {
            let mut entries = [("a", None), ("\u{e9}", None), ("\u{e9}", Some("e\u{301}")), ("\u{fc}", Some("u\u{308}"))];
            if turned {
                entries.reverse();
            }
            let mut smallest = Smallest::new(Some("a"), 10, 0);
            for (name, spelling) in entries {
                if smallest.wants(name) {
                    smallest.add(name, spelling);
                }
            }
            let (names, whole) = smallest.done();
            assert_eq!(names.after(None).collect::<Vec<_>>(), [("\u{e9}", None), ("\u{fc}", Some("u\u{308}"))]);
            assert!(whole);
            assert_eq!(names.after(Some("\u{e9}")).count(), 1);
        }
    }
}
