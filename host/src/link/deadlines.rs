//! How long the link waits for what: every deadline of this module stands here.

use std::time::Duration;

/// The deadlines of links. [`Deadlines::default`] is what a node uses; tests shorten them.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// To resolve a peer's host and open a TCP connection to it, all of its addresses together.
    pub connect: Duration,
    /// For the TLS handshake, on either side. Bounds how long a stranger occupies one of the places for handshakes.
    pub handshake: Duration,
    /// How long handshake and greeting are left alone, if all places for them are taken and another waits.
    pub handshake_grace: Duration,
    /// For the greeting that follows the handshake.
    pub hello: Duration,
    /// How long a link may be silent before it is asked for a sign of life.
    pub ping_after: Duration,
    /// How long a link may be silent before it is given up. More than twice `ping_after`.
    pub dead_after: Duration,
    /// How long a started write, or a blob under way on a lane, may make no progress. A message that waits for a mailbox is no stall: its receiver says so
    /// every `lane_hold`.
    pub stall: Duration,
    /// How often the receiver of a blob whose target has no room says that it is still there. Less than half of `stall`.
    pub lane_hold: Duration,
    /// How long the other side may take to say that it has done with a lane that ended here. Until then what was under way there is kept, to be sent again, and one that never says so has the link ended. It answers over
    /// the link at once, but for what the link is just writing: more than the longest frame takes on a slow line.
    pub lane_end: Duration,
    /// How long a lane may be idle in both directions before its dialler closes it.
    pub lane_idle: Duration,
    /// The pause before a lane that could not be opened is tried again; it doubles.
    pub lane_retry: Duration,
    /// How long after a lane could not be opened none is opened beside those that there are, unless somebody waits.
    pub lane_enough: Duration,
    /// How long those who wait for a lane do so while none becomes free, before more of them are opened.
    pub lane_wait: Duration,
    /// How long a closing node waits for what it has sent to be taken over there.
    pub drain: Duration,
    /// How long a refused connection is kept open for the other side to read why.
    pub linger: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            handshake_grace: Duration::from_secs(1),
            hello: Duration::from_secs(5),
            ping_after: Duration::from_secs(10),
            dead_after: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            lane_hold: Duration::from_secs(10),
            lane_end: Duration::from_secs(180),
            lane_idle: Duration::from_secs(60),
            lane_retry: Duration::from_millis(100),
            lane_enough: Duration::from_secs(30),
            lane_wait: Duration::from_secs(1),
            drain: Duration::from_secs(5),
            linger: Duration::from_secs(1),
        }
    }
}

impl Deadlines {
    /// How often a link looks at its clocks: often enough for the shortest of what it watches.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self.ping_after.min(self.dead_after).min(self.stall).min(self.lane_end).min(self.lane_idle);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(5))
    }
}
