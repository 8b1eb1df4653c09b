//! The lanes of one link: which there are, which are idle, who waits for one, and what each has under way.
//!
//! Lanes are opened when somebody waits and none is idle: up to [`SHARED`], or as many as one conversation may use if these are more. Those who wait then share them in turn, since more connections would only cost more:
//! unless the lanes stand still, with somebody at their end who does not take what they carry. An idle lane is one that has written all it was given, which may still stand in the system's queues and be long on its way:
//! so where all that are idle have messages under way, a conversation that may use more lanes than there are gets one of them, and one more is opened for what it sends next. Only the side that dialled the link can open them; the other asks
//! ([`opening`]). When a lane has ended on both sides, what it had not delivered is known exactly (see `protocol`), and is sent again over another lane, a few times.

mod opening;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Head;
use super::lane::{Condition, Job, Lane};
use super::protocol::{Code, Frame, MAX_LANES, Violation};
use super::session::Session;

/// So many lanes serve any number of conversations.
const SHARED: usize = 16;

/// No lane to be had.
#[derive(Debug)]
pub(super) enum NoLane {
    /// The link has ended.
    Closed,
    /// None could be opened.
    Failed(String),
}

#[derive(Debug)]
struct Entry {
    lane: Arc<Lane>,
    /// Since when, in the session's time.
    ended_here: Option<u64>,
    ended_there: bool,
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<u32, Entry>,
    /// The one used last is the last.
    idle: Vec<Arc<Lane>>,
    waiting: VecDeque<Waiting>,
    /// Being dialled, or asked for.
    opening: usize,
    next: u32,
    /// How often a lane was had by somebody.
    taken: u64,
    /// So many may be opened beyond what is usual, for those who wait now.
    beyond: usize,
    /// When one could not be opened for the last time.
    failed: Option<Instant>,
    closed: bool,
}

/// Somebody who waits for a lane.
#[derive(Debug)]
struct Waiting {
    /// How many its conversation may use at a time.
    share: usize,
    lane: oneshot::Sender<Result<Taken, String>>,
}

impl State {
    /// The idle lane with the fewest messages on their way: what a lane has written may still stand in the system's queues, where it waits behind others while another line is free. Of several the one that was used last, so that
    /// those not needed become old.
    fn take_idle(&mut self) -> Option<Arc<Lane>> {
        self.idle.retain(|lane| !lane.ended.is_cancelled());
        let (place, _) = self.idle.iter().enumerate().rev().min_by_key(|(_, lane)| lane.ahead())?;
        Some(self.idle.remove(place))
    }

    /// Whether one more lane is worth having beside an idle one that has this many messages under way, for a conversation that may use `share`: not while none can be opened.
    fn wants_another(&self, ahead: usize, share: usize, pause: Duration) -> bool {
        ahead > 0 && self.lanes.len() + self.opening < share.min(MAX_LANES) && self.failed.is_none_or(|failed| failed.elapsed() >= pause)
    }

    /// How many lanes there may be for those who wait.
    fn most(&self) -> usize {
        let share = self.waiting.iter().map(|waiting| waiting.share).max().unwrap_or(0);
        (share.max(SHARED) + self.beyond).min(MAX_LANES)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lanes(Arc<Mutex<State>>);

/// A lane that its holder alone may give a job. Dropped without one, it is idle again.
#[derive(Debug)]
pub(super) struct Taken {
    lane: Option<Arc<Lane>>,
    state: Arc<Mutex<State>>,
}

impl Taken {
    /// Gives it a job; the job comes back if the lane has ended.
    pub(super) fn start(mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        match self.lane.take() {
            Some(lane) => lane.give(job),
            None => Err(job),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            make_idle(&self.state, lane);
        }
    }
}

/// Gives a lane to the first who waits, or keeps it.
fn make_idle(state: &Arc<Mutex<State>>, lane: Arc<Lane>) {
    let mut taken = Taken { lane: Some(lane), state: state.clone() };
    loop {
        let next = {
            let mut locked = state.lock();
            let Some(lane) = taken.lane.take() else { return };
            if locked.closed || lane.ended.is_cancelled() {
                return;
            }
            match locked.waiting.pop_front() {
                None => {
                    locked.idle.push(lane);
                    locked.beyond = 0;
                    return;
                }
                Some(next) => {
                    locked.taken += 1;
                    taken.lane = Some(lane);
                    next
                }
            }
        };
        // Outside of the lock: a lane that the waiter drops comes here again.
        match next.lane.send(Ok(taken)) {
            Ok(()) | Err(Err(_)) => return,
            Err(Ok(back)) => taken = back,
        }
    }
}

impl Lanes {
    /// An idle lane, or the next that becomes idle, in order of asking, for a conversation that may use `share` of them at a time.
    pub(super) async fn take(session: &Arc<Session>, share: usize) -> Result<Taken, NoLane> {
        let lanes = &session.lanes;
        let mut waiting = {
            let mut state = lanes.0.lock();
            if state.closed {
                return Err(NoLane::Closed);
            }
            if let Some(lane) = state.take_idle() {
                let another = state.wants_another(lane.ahead(), share, session.shared.deadlines.lane_enough);
                state.opening += usize::from(another);
                drop(state);
                if another {
                    Self::open_counted(session, 1);
                }
                return Ok(Taken { lane: Some(lane), state: lanes.0.clone() });
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(Waiting { share, lane: sender });
            receiver
        };
        Self::open_more(session);
        loop {
            let taken = lanes.0.lock().taken;
            match tokio::time::timeout(session.shared.deadlines.lane_wait, &mut waiting).await {
                Ok(Ok(Ok(lane))) => return Ok(lane),
                Ok(Ok(Err(text))) => return Err(NoLane::Failed(text)),
                Ok(Err(_)) => return Err(NoLane::Closed),
                Err(_) => Self::open_beyond(session, taken),
            }
        }
    }

    /// Whether one more lane may be.
    pub(super) fn has_room(&self) -> bool {
        let state = self.0.lock();
        !state.closed && state.lanes.len() < MAX_LANES
    }

    /// A lane's connection is there. None, if it may not be. [`Lanes::opened`] follows.
    pub(super) fn add(&self, session: &Session, number: u32) -> Option<(Arc<Lane>, mpsc::Receiver<Box<Job>>)> {
        let mut state = self.0.lock();
        if state.closed || state.lanes.len() >= MAX_LANES || state.lanes.contains_key(&number) {
            return None;
        }
        let (lane, jobs) = Lane::new(session, number);
        let lane = Arc::new(lane);
        state.lanes.insert(number, Entry { lane: lane.clone(), ended_here: None, ended_there: false });
        Some((lane, jobs))
    }

    /// A new lane is ready for its first job. Until now it counted as being opened: who waits must not have another one opened when this one is about to be idle.
    pub(super) fn opened(session: &Arc<Session>, lane: Arc<Lane>) {
        session.lanes.idle(lane);
        {
            let mut state = session.lanes.0.lock();
            state.opening = state.opening.saturating_sub(1);
        }
        Self::open_more(session);
    }

    /// A lane's writer is ready for a job.
    pub(super) fn idle(&self, lane: Arc<Lane>) {
        make_idle(&self.0, lane);
    }

    /// The other side has taken the `count` oldest messages of a lane.
    pub(super) fn acknowledge(&self, session: &Session, number: u32, count: u32) -> Result<(), Violation> {
        let Some(lane) = self.0.lock().lanes.get(&number).map(|entry| entry.lane.clone()) else {
            return Err(Violation(format!("lane-delivered for lane {number}, which is not there")));
        };
        if lane.acknowledge(session, count) { Ok(()) } else { Err(Violation(format!("more delivered on lane {number} than was sent"))) }
    }

    /// The other side has received the beginning of a message and waits for a mailbox.
    pub(super) fn held(&self, session: &Session, number: u32) {
        if let Some(entry) = self.0.lock().lanes.get(&number) {
            entry.lane.made_progress(session);
        }
    }

    /// The other side will take nothing more from a lane.
    pub(super) fn ended_there(session: &Arc<Session>, number: u32) {
        {
            let mut state = session.lanes.0.lock();
            match state.lanes.get_mut(&number) {
                Some(entry) => {
                    entry.ended_there = true;
                    entry.lane.ended.cancel();
                }
                None => {
                    drop(state);
                    session.urgent(Frame::LaneEnded(number));
                    return;
                }
            }
        }
        Self::finish(session, number);
    }

    /// This side will neither take nor write anything more, and has said so.
    pub(super) fn ended_here(session: &Arc<Session>, lane: &Lane) {
        let link_ended = {
            let mut state = session.lanes.0.lock();
            state.idle.retain(|idle| idle.number != lane.number);
            if let Some(entry) = state.lanes.get_mut(&lane.number) {
                entry.ended_here = Some(session.now());
            }
            state.closed
        };
        if link_ended {
            // What the writer was given when the link had ended already.
            return lane.take_under_way().for_each(|job| session.doubt(&job.head));
        }
        Self::finish(session, lane.number);
    }

    /// Forgets a lane that has ended on both sides, and sends again what it did not deliver.
    fn finish(session: &Arc<Session>, number: u32) {
        let lane = {
            let mut state = session.lanes.0.lock();
            match state.lanes.get(&number) {
                Some(entry) if entry.ended_here.is_some() && entry.ended_there => state.lanes.remove(&number).map(|entry| entry.lane),
                _ => None,
            }
        };
        if let Some(lane) = lane {
            lane.take_under_way().for_each(|job| session.start_again(job));
        }
        Self::open_more(session);
    }

    /// Ends lanes that stand still in the middle of something, and those that nobody needs; and the link, if the other side has not done with a lane long after it ended here.
    pub(super) fn tick(&self, session: &Session) {
        let lanes: Vec<Arc<Lane>> = self.0.lock().lanes.values().map(|entry| entry.lane.clone()).collect();
        if let Some((number, waited)) = self.unconfirmed(session) {
            let why = format!("{} has not said that it is done with lane {number}, which ended {} s ago", session.peer, waited.as_secs());
            return session.close(why, Some(Code::Closing));
        }
        for lane in lanes {
            match lane.condition(session) {
                Condition::Stalled => {
                    tracing::info!(peer = %session.peer, lane = lane.number, "a lane stands still: closing it");
                    lane.ended.cancel();
                }
                Condition::Idle if session.remote.dialled => lane.ended.cancel(),
                // Its sender sees a full socket, and is to know that this is no stall.
                _ if lane.is_reading() && session.ways.received.limited() => session.urgent(Frame::LaneHeld(lane.number)),
                Condition::Idle | Condition::Fine => {}
            }
        }
    }

    /// A lane that ended here too long ago, and not there.
    fn unconfirmed(&self, session: &Session) -> Option<(u32, Duration)> {
        let deadline = session.shared.deadlines.lane_end;
        // Its answer takes its turn with all that is limited.
        let patience = if session.ways.received.limited() || session.ways.sent.limited() { deadline * 10 } else { deadline };
        let state = self.0.lock();
        let ended = state.lanes.iter().filter(|(_, entry)| !entry.ended_there).filter_map(|(number, entry)| Some((*number, session.since(entry.ended_here?))));
        ended.max_by_key(|(_, waited)| *waited).filter(|(_, waited)| *waited > patience)
    }

    /// How many lanes there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().lanes.len()
    }

    /// The link has ended: so do its lanes, and all waiting. Returns the messages of which it is not known whether they arrived.
    pub(super) fn close(&self) -> Vec<Head> {
        let (lanes, waiting) = {
            let mut state = self.0.lock();
            state.closed = true;
            state.idle.clear();
            (std::mem::take(&mut state.lanes), std::mem::take(&mut state.waiting))
        };
        drop(waiting);
        let mut heads = Vec::new();
        for entry in lanes.into_values() {
            entry.lane.ended.cancel();
            heads.extend(entry.lane.take_under_way().map(|job| job.head));
        }
        heads
    }
}
