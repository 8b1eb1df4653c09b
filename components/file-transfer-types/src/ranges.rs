//! A set of byte ranges of one file: what has arrived, what is safely on disk.
//!
//! Ranges that touch or overlap are one. Nothing here fails: an empty range adds nothing, and one that would pass the end of the number space ends there.

use std::collections::BTreeMap;

/// A set of byte ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Start to end (exclusive), neither touching nor overlapping.
    ends: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Adds `length` bytes from `start`.
    pub fn insert(&mut self, start: u64, length: u64) {
        let (mut from, mut to) = (start, start.saturating_add(length));
        if from == to {
            return;
        }
        while let Some((&other, &end)) = self.ends.range(..=to).next_back() {
            if end < from {
                break;
            }
            from = from.min(other);
            to = to.max(end);
            self.ends.remove(&other);
        }
        self.ends.insert(from, to);
    }

    /// How many bytes are in it.
    pub fn total(&self) -> u64 {
        self.ends.iter().map(|(start, end)| end - start).sum()
    }

    /// The end of the last range; 0 if there is none.
    pub fn end(&self) -> u64 {
        self.ends.values().next_back().copied().unwrap_or(0)
    }

    /// Where the range that holds `at` ends. None: `at` is not in the set.
    pub fn covered_to(&self, at: u64) -> Option<u64> {
        self.ends.range(..=at).next_back().map(|(_, &end)| end).filter(|&end| end > at)
    }

    /// The first range at or after `from` that is not in the set, below `limit`: its start and end.
    pub fn gap(&self, from: u64, limit: u64) -> Option<(u64, u64)> {
        let start = self.covered_to(from).unwrap_or(from);
        let end = self.ends.range(start..).next().map_or(limit, |(&next, _)| next.min(limit));
        (start < end).then_some((start, end))
    }

    /// The ranges as start and length.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ends.iter().map(|(&start, &end)| (start, end - start))
    }

    /// The ranges of this set that are not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (start, length) in self.iter() {
            let mut at = start;
            while let Some((from, to)) = other.gap(at, start + length) {
                left.insert(from, to - from);
                at = to;
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        let mut set = RangeSet::default();
        ranges.iter().for_each(|&(start, length)| set.insert(start, length));
        set
    }

    fn list(set: &RangeSet) -> Vec<(u64, u64)> {
        set.iter().collect()
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one_in_any_order() {
        assert_eq!(list(&set(&[(0, 2), (4, 2), (2, 2)])), [(0, 6)]);
        assert_eq!(list(&set(&[(10, 5), (0, 3), (2, 9)])), [(0, 15)]);
        assert_eq!(list(&set(&[(0, 10), (3, 2)])), [(0, 10)]);
        assert_eq!(list(&set(&[(5, 1), (0, 1)])), [(0, 1), (5, 1)]);
        assert_eq!(list(&set(&[(3, 0)])), []);
    }

    #[test]
    fn totals_and_ends_count_each_byte_once() {
        let set = set(&[(0, 10), (5, 10), (100, 1)]);
        assert_eq!((set.total(), set.end()), (16, 101));
        assert_eq!((RangeSet::default().total(), RangeSet::default().end()), (0, 0));
    }

    #[test]
    fn gaps_are_found_from_anywhere() {
        let set = set(&[(2, 2), (6, 2)]);
        assert_eq!(set.gap(0, 10), Some((0, 2)));
        assert_eq!(set.gap(1, 10), Some((1, 2)));
        assert_eq!(set.gap(2, 10), Some((4, 6)));
        assert_eq!(set.gap(7, 10), Some((8, 10)));
        assert_eq!(set.gap(7, 8), None);
        assert_eq!(set.gap(2, 4), None);
        assert_eq!(RangeSet::default().gap(0, 0), None);
    }

    #[test]
    fn coverage_ends_where_the_range_ends() {
        let set = set(&[(2, 2)]);
        assert_eq!((set.covered_to(1), set.covered_to(2), set.covered_to(3), set.covered_to(4)), (None, Some(4), Some(4), None));
    }

    #[test]
    fn a_difference_holds_what_only_the_first_has() {
        let (all, some) = (set(&[(0, 10), (20, 10)]), set(&[(2, 2), (8, 14)]));
        assert_eq!(list(&all.without(&some)), [(0, 2), (4, 4), (22, 8)]);
        assert_eq!(list(&all.without(&all)), []);
        assert_eq!(all.without(&RangeSet::default()), all);
    }

    #[test]
    fn the_end_of_the_number_space_is_no_danger() {
        assert_eq!(list(&set(&[(u64::MAX - 1, 10)])), [(u64::MAX - 1, 1)]);
    }

    #[test]
    fn it_agrees_with_a_plain_list_of_bytes() {
        // A small generator is enough: the point is many different orders.
        let mut seed = 1_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let (mut ranges, mut bytes) = (RangeSet::default(), [false; 64]);
            for _ in 0..next(20) {
                let (start, length) = (next(60), next(5));
                ranges.insert(start, length);
                (start..start + length).for_each(|at| bytes[at as usize] = true);
            }
            assert_eq!(ranges.total(), bytes.iter().filter(|&&there| there).count() as u64);
            let first_gap = bytes.iter().position(|&there| !there).map(|at| at as u64);
            assert_eq!(ranges.gap(0, 64).map(|(start, _)| start), first_gap);
            assert!(list(&ranges).windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0), "{ranges:?}");
        }
    }
}
