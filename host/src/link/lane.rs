//! One lane: what is under way on it, and how it is doing. The tasks that move the bytes are in `lane_driver`, the lanes of a link in `lanes`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Head;
use super::conversation::Slot;
use super::resident::Share;
use super::session::Session;
use crate::blob::Blob;

/// How often a message is given to a lane before it is given up.
const MAX_TRIES: u8 = 5;
/// Messages that a lane has written and that are not delivered there: enough to keep a long line full.
const MAX_AHEAD: usize = 32;
/// This node's memory in them.
const MAX_AHEAD_BYTES: u64 = 16 << 20;

/// A message with a large blob, on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) head: Head,
    pub(super) blob: Blob,
    pub(super) tries: u8,
    /// Taken by the writer that begins it.
    slot: Option<Slot>,
    /// The blob could not be read: it is acknowledged like others, and never sent again.
    pub(super) void: bool,
    /// Its part of the link's memory, given back with the job.
    _share: Option<Share>,
    _counted: Counted,
}

/// How many jobs there are on a link, wherever they are: waiting, with a lane, or to be sent again.
#[derive(Debug, Default)]
pub(super) struct Jobs(AtomicUsize);

impl Jobs {
    /// Whether there is none.
    pub(super) fn none(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// Counts a job while it lives.
#[derive(Debug)]
struct Counted {
    jobs: Arc<Jobs>,
    quieter: Arc<Notify>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.jobs.0.fetch_sub(1, Ordering::AcqRel);
        self.quieter.notify_waiters();
    }
}

impl Job {
    pub(super) fn new(session: &Session, head: Head, blob: Blob, slot: Slot, share: Option<Share>) -> Box<Self> {
        session.jobs.0.fetch_add(1, Ordering::AcqRel);
        let counted = Counted { jobs: session.jobs.clone(), quieter: session.quieter.clone() };
        Box::new(Self { head, blob, tries: 0, slot: Some(slot), void: false, _share: share, _counted: counted })
    }

    pub(super) fn may_try_again(&self) -> bool {
        self.tries < MAX_TRIES
    }
}

/// How a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// In use, or was lately.
    Fine,
    /// Nobody has needed it for long.
    Idle,
    /// In the middle of something, and no progress.
    Stalled,
}

/// One lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) number: u32,
    /// Holds one: whoever took the lane can always put a job in.
    jobs: mpsc::Sender<Box<Job>>,
    /// Written or being written, in order, and not delivered there.
    under_way: Mutex<VecDeque<Box<Job>>>,
    delivered: Notify,
    /// When something under way last made progress, in the session's time.
    progress: AtomicU64,
    /// When something last came of a message that is being received; 0 between messages.
    reading: AtomicU64,
    /// When it was last used in either direction.
    used: AtomicU64,
    pub(super) ended: CancellationToken,
}

impl Lane {
    /// A new one, and where its writer finds jobs.
    pub(super) fn new(session: &Session, number: u32) -> (Self, mpsc::Receiver<Box<Job>>) {
        let (jobs, receiver) = mpsc::channel(1);
        let lane = Self {
            number,
            jobs,
            under_way: Mutex::default(),
            delivered: Notify::new(),
            progress: AtomicU64::new(session.now()),
            reading: AtomicU64::new(0),
            used: AtomicU64::new(session.now()),
            ended: session.closed.child_token(),
        };
        (lane, receiver)
    }

    /// Gives it a job, which only who took the lane may do. The job comes back if the lane has ended.
    pub(super) fn give(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        self.jobs.try_send(job).map_err(|error| error.into_inner())
    }

    /// The writer begins a job: it counts as under way before its first byte is written. The slot is the writer's, to be kept until the lane is idle again: otherwise
    /// the next of the conversation would find no idle lane, and have another one opened. A job that is sent again has none.
    pub(super) fn begin(&self, session: &Session, mut job: Box<Job>) -> (Head, Blob, Option<Slot>) {
        job.tries += 1;
        let parts = (job.head.clone(), job.blob.clone(), job.slot.take());
        self.made_progress(session);
        self.under_way.lock().push_back(job);
        parts
    }

    /// The blob of the job that the writer began last could not be read.
    pub(super) fn void(&self) {
        // If it is not there any more it was taken there, and is not sent again either. Nobody but the writer adds jobs, so the last one is the writer's.
        if let Some(job) = self.under_way.lock().back_mut() {
            job.void = true;
        }
    }

    /// Waits until little enough is under way to begin another.
    pub(super) async fn room_ahead(&self) {
        loop {
            {
                let under_way = self.under_way.lock();
                let resident: u64 = under_way.iter().map(|job| job.blob.resident()).sum();
                if under_way.len() < MAX_AHEAD && (resident < MAX_AHEAD_BYTES || under_way.is_empty()) {
                    return;
                }
            }
            self.delivered.notified().await;
        }
    }

    pub(super) fn made_progress(&self, session: &Session) {
        self.progress.store(session.now(), Ordering::Relaxed);
        self.used.store(session.now(), Ordering::Relaxed);
    }

    /// Bytes of a message came (`true`), or it is complete.
    pub(super) fn reading(&self, session: &Session, message: bool) {
        self.reading.store(if message { session.now() } else { 0 }, Ordering::Relaxed);
        self.used.store(session.now(), Ordering::Relaxed);
    }

    /// Whether it is in the middle of receiving a message.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed) > 0
    }

    /// A job that the writer will not begin any more.
    pub(super) fn leave(&self, job: Box<Job>) {
        self.under_way.lock().push_back(job);
    }

    /// The other side has taken the `count` oldest messages. False: there were not so many.
    pub(super) fn acknowledge(&self, session: &Session, count: u32) -> bool {
        for _ in 0..count {
            if self.under_way.lock().pop_front().is_none() {
                return false;
            }
        }
        self.made_progress(session);
        self.delivered.notify_one();
        true
    }

    /// Ends its account: what is under way and worth sending again.
    pub(super) fn take_under_way(&self) -> impl Iterator<Item = Box<Job>> + use<> {
        std::mem::take(&mut *self.under_way.lock()).into_iter().filter(|job| !job.void)
    }

    /// How many messages are under way.
    pub(super) fn ahead(&self) -> usize {
        self.under_way.lock().len()
    }

    /// Whether nothing is under way.
    pub(super) fn quiet(&self) -> bool {
        self.under_way.lock().is_empty()
    }

    /// What the clock finds: does something stand still, has it been idle for long?
    pub(super) fn condition(&self, session: &Session) -> Condition {
        let deadlines = &session.shared.deadlines;
        let (quiet, reading) = (self.quiet(), self.reading.load(Ordering::Relaxed));
        // One of many that share a limit gets its turn seldom.
        let patience = if session.ways.sent.limited() { deadlines.stall * 10 } else { deadlines.stall };
        let stalled = !quiet && session.since(self.progress.load(Ordering::Relaxed)) > patience;
        let starved = reading > 0 && session.since(reading) > deadlines.stall;
        if stalled || starved {
            Condition::Stalled
        } else if quiet && reading == 0 && session.since(self.used.load(Ordering::Relaxed)) > deadlines.lane_idle {
            Condition::Idle
        } else {
            Condition::Fine
        }
    }
}
