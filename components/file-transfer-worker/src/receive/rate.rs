//! A limit in bytes a second, kept by asking for no more than that: the receiver drives, so what it does not ask for does not come. Times are microseconds.

/// What may be asked for at once after a pause, as a time at the limit.
const BURST: u64 = 50_000;
/// So often a second something is asked for.
const ASKS: u64 = 20;
/// The least that is worth a request, in bytes.
const LEAST: u64 = 1 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Rate {
    limit: u64,
    /// When all that was asked for is paid.
    paid: u64,
}

impl Rate {
    /// Of so many bytes a second (at least 1).
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit: limit.max(1), paid: 0 }
    }

    /// The most to ask for at a time.
    pub(crate) fn chunk(&self) -> u64 {
        (self.limit / ASKS).max(LEAST)
    }

    /// How long to wait before the next is asked for.
    pub(crate) fn wait(&self, now: u64) -> u64 {
        self.paid.saturating_sub(now)
    }

    /// So many bytes are asked for.
    pub(crate) fn ask(&mut self, bytes: u64, now: u64) {
        let time = u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(self.limit)).unwrap_or(u64::MAX);
        self.paid = self.paid.max(now.saturating_sub(BURST)).saturating_add(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds that `bytes` take, asked for as soon as may be by somebody who looks every `look` microseconds.
    fn seconds(limit: u64, bytes: u64, look: u64) -> f64 {
        let begun = 7_000_000;
        let (mut rate, mut now, mut left) = (Rate::new(limit), begun, bytes);
        while left > 0 {
            while rate.wait(now) > 0 {
                now += look;
            }
            let chunk = rate.chunk().min(left);
            rate.ask(chunk, now);
            left -= chunk;
        }
        (now + rate.wait(now) - begun) as f64 / 1e6
    }

    #[test]
    fn what_is_asked_for_keeps_to_the_limit_however_late_the_clock_is() {
        for limit in [10_000, 500_000, 10_000_000, 1_000_000_000] {
            for look in [1, 1_000, 20_000] {
                let seconds = seconds(limit, limit * 10, look);
                assert!((9.9..=10.3).contains(&seconds), "{seconds} s at {limit}, looking every {look} us");
            }
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut rate = Rate::new(1_000_000);
        rate.ask(1000, 0);
        let (now, mut asked) = (60_000_000, 0);
        while rate.wait(now) == 0 {
            rate.ask(rate.chunk(), now);
            asked += rate.chunk();
        }
        assert!(asked <= 110_000, "{asked} bytes at once");
    }
}
