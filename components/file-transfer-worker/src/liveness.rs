//! Whether the other side still lives: when to ask, when to give up, and how a dropped link is survived.

/// After so long a silence, in milliseconds, the counterpart is asked whether it is there. Well within [`GRACE`]: a sender notices only so that the link was dropped, and it may be the one that has to call.
const QUIET: u64 = 1_500;
/// A counterpart is not given up sooner, however short the transfer's own time-out is: it may be waiting for a slow disk.
const LEAST_PATIENCE: u64 = 5_000;
/// How long a dropped link gets before it is tried again, in milliseconds.
const PAUSE: u64 = 1_000;
/// How long it is tried, from when it was dropped. More than one pause: if one of the two nodes can't be called, its own attempts fail until the other one has called, which does so after a pause too.
const GRACE: u64 = 3_500;

/// What to do about a silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing.
    Fine,
    /// Ask.
    Ping,
    /// Give up: so many milliseconds without a word.
    Dead(u64),
}

/// See the module. All times are milliseconds of a clock that only goes forward.
#[derive(Debug)]
pub(crate) struct Liveness {
    heard: u64,
    pinging: bool,
    quiet: u64,
    patience: u64,
    dropped: Option<Dropped>,
}

/// A link that was dropped and has not been heard over since.
#[derive(Debug, Clone, Copy)]
struct Dropped {
    first: u64,
    /// When the last attempt to use it failed.
    last: u64,
}

impl Liveness {
    /// With the transfer's time-out.
    pub(crate) fn new(timeout: u64, now: u64) -> Self {
        Self { heard: now, pinging: false, quiet: QUIET.min(timeout), patience: timeout.max(LEAST_PATIENCE), dropped: None }
    }

    /// Something came from the counterpart.
    pub(crate) fn heard(&mut self, now: u64) {
        self.heard = now;
        self.dropped = None;
    }

    /// A ping was answered or failed.
    pub(crate) fn ping_ended(&mut self) {
        self.pinging = false;
    }

    /// What to do now. `busy`: requests with time-outs of their own are under way, which decide instead.
    pub(crate) fn check(&mut self, now: u64, busy: bool) -> Silence {
        let silence = now.saturating_sub(self.heard);
        if busy {
            return Silence::Fine;
        }
        if silence >= self.patience {
            return Silence::Dead(silence);
        }
        if silence >= self.quiet && !self.pinging && self.may_send(now) {
            self.pinging = true;
            return Silence::Ping;
        }
        Silence::Fine
    }

    /// The link was dropped, or could not be used again: whether to try again, once a pause is over.
    pub(crate) fn dropped(&mut self, now: u64) -> bool {
        let dropped = self.dropped.get_or_insert(Dropped { first: now, last: now });
        // What was under way when it broke fails at the same time, and is no new attempt.
        if now.saturating_sub(dropped.last) >= PAUSE {
            dropped.last = now;
        }
        now.saturating_sub(dropped.first) < GRACE
    }

    /// Whether the pause after a dropped link is over (or there was none).
    pub(crate) fn may_send(&self, now: u64) -> bool {
        self.dropped.is_none_or(|dropped| now.saturating_sub(dropped.last) >= PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_counterpart_is_asked_and_then_given_up() {
        let mut liveness = Liveness::new(30_000, 0);
        assert_eq!(liveness.check(QUIET - 1, false), Silence::Fine);
        assert_eq!(liveness.check(QUIET, false), Silence::Ping);
        assert_eq!(liveness.check(QUIET + 1, false), Silence::Fine, "one ping at a time");
        liveness.ping_ended();
        assert_eq!(liveness.check(2 * QUIET, false), Silence::Ping);
        assert_eq!(liveness.check(30_000, false), Silence::Dead(30_000));
    }

    #[test]
    fn a_word_is_enough_to_live_on() {
        let mut liveness = Liveness::new(30_000, 0);
        liveness.heard(29_999);
        assert_eq!(liveness.check(30_000, false), Silence::Fine);
    }

    #[test]
    fn requests_under_way_decide_by_their_own_time_outs() {
        let mut liveness = Liveness::new(30_000, 0);
        assert_eq!(liveness.check(1_000_000, true), Silence::Fine);
    }

    #[test]
    fn a_short_time_out_does_not_give_up_a_slow_disk() {
        let mut liveness = Liveness::new(100, 0);
        assert_eq!(liveness.check(100, false), Silence::Ping);
        assert_eq!(liveness.check(LEAST_PATIENCE - 1, false), Silence::Fine);
        assert!(matches!(liveness.check(LEAST_PATIENCE, false), Silence::Dead(_)));
    }

    #[test]
    fn a_dropped_link_is_tried_again_after_each_pause_and_given_up_in_the_end() {
        let mut liveness = Liveness::new(30_000, 0);
        assert!(liveness.dropped(1_000) && liveness.dropped(1_001), "all that was under way fails together");
        assert!(!liveness.may_send(1_500));
        assert!(liveness.may_send(2_000));
        assert!(liveness.dropped(2_100), "the other side may call a moment later");
        assert!(!liveness.may_send(2_200) && liveness.may_send(3_100));
        assert!(liveness.dropped(3_200) && !liveness.dropped(4_600), "nobody called");
        liveness.heard(4_700);
        assert!(liveness.dropped(4_800) && liveness.dropped(5_900), "what worked again may break again");
    }
}
