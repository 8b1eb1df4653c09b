//! Opening lanes: dialled by the side that dialled the link, asked for by the other.
//!
//! What always holds: each lane that is being opened is counted (`opening`) until it is there or could not be had, so that no more are opened than wanted. If none can be had and there is none, those who wait are told.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::Lanes;
use crate::link::dial;
use crate::link::protocol::{Frame, MAX_LANES};
use crate::link::session::Session;

/// How often a lane is dialled before those who wait are told that there is none.
const MAX_DIALS: u32 = 3;

impl Lanes {
    /// Opens more lanes if nobody has had one since they had been had `taken` times: one, and twice as many each time that this does not help.
    pub(super) fn open_beyond(session: &Arc<Session>, taken: u64) {
        {
            let mut state = session.lanes.0.lock();
            if state.taken != taken || state.opening > 0 {
                return;
            }
            // Once for all who wait.
            state.taken += 1;
            state.beyond = (state.beyond * 2).clamp(1, MAX_LANES);
        }
        Self::open_more(session);
    }

    /// Opens as many lanes as are waited for, within the limit.
    pub(super) fn open_more(session: &Arc<Session>) {
        let count = {
            let mut state = session.lanes.0.lock();
            state.waiting.retain(|waiting| !waiting.lane.is_closed());
            let wanted = state.waiting.len().saturating_sub(state.opening);
            let count = wanted.min(state.most().saturating_sub(state.lanes.len() + state.opening));
            state.opening += count;
            count
        };
        Self::open_counted(session, count);
    }

    /// Opens lanes that count as being opened already, or asks for them.
    pub(super) fn open_counted(session: &Arc<Session>, count: usize) {
        if session.remote.dialled {
            for _ in 0..count {
                Self::open(session, false);
            }
        } else if let (true, Ok(count)) = (count > 0, u32::try_from(count)) {
            let session = session.clone();
            session.shared.clone().spawn(async move { session.control(Frame::WantLanes(count)).await });
        }
    }

    /// The other side, which can't open lanes, wants some.
    pub(in crate::link) fn open_for_other(session: &Arc<Session>, count: usize) {
        let allowed = {
            let mut state = session.lanes.0.lock();
            let allowed = count.min(MAX_LANES.saturating_sub(state.lanes.len() + state.opening));
            state.opening += allowed;
            allowed
        };
        for _ in 0..allowed {
            Self::open(session, true);
        }
        if let (true, Ok(missing)) = (allowed < count, u32::try_from(count - allowed)) {
            session.urgent(Frame::NoLanes(missing, format!("there are {MAX_LANES} lanes already")));
        }
    }

    /// Dials one lane, which is counted as being opened.
    fn open(session: &Arc<Session>, for_other: bool) {
        let session = session.clone();
        session.shared.clone().spawn(async move {
            let mut pause = session.shared.deadlines.lane_retry;
            let mut text = String::new();
            for dial in 0..MAX_DIALS {
                if dial > 0 {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                let number = session.lanes.next_number();
                let dialled = tokio::select! {
                    dialled = dial::lane(&session, number) => dialled,
                    () = session.closed.cancelled() => return,
                };
                match dialled {
                    Ok(stream) => {
                        // Refused only if the link has ended.
                        let _ = crate::link::lane_driver::start(&session, number, stream);
                        return;
                    }
                    Err(error) => {
                        tracing::debug!(peer = %session.peer, number, %error, "could not open a lane");
                        text = error.to_string();
                    }
                }
            }
            if for_other {
                session.control(Frame::NoLanes(1, text.clone())).await;
            }
            Self::not_opened(&session, 1, &text);
        });
    }

    fn next_number(&self) -> u32 {
        let mut state = self.0.lock();
        state.next = state.next.wrapping_add(1);
        state.next
    }

    /// So many lanes could not be opened. If there is none and none comes, those who wait are told.
    pub(in crate::link) fn not_opened(session: &Arc<Session>, count: usize, text: &str) {
        let told = {
            let mut state = session.lanes.0.lock();
            state.opening = state.opening.saturating_sub(count);
            state.failed = Some(Instant::now());
            let alive = state.lanes.values().any(|entry| entry.ended_here.is_none() && !entry.ended_there);
            if alive || state.opening > 0 { VecDeque::new() } else { std::mem::take(&mut state.waiting) }
        };
        for waiting in told {
            let _ = waiting.lane.send(Err(text.into()));
        }
    }
}
