//! What a process waits for: responses to its requests, and its timers.
//!
//! Plain state: time is an argument, nothing here waits. What always holds: every request that was entered leaves exactly once, as answered, failed or timed out; a response that comes
//! later finds nothing and is dropped. Contexts and the requests themselves stay here and never leave the node.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::message::{Address, Content, ProcessId, RequestId, SendErrorKind};

/// The most timers of one process.
pub(crate) const MAX_TIMERS: usize = 1024;
/// The most finished operations that wait to be received.
const MAX_COMPLETIONS: usize = 65_536;

/// Who waits for the response to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReplyTo {
    /// The node; none: this one.
    pub(crate) node: Option<String>,
    /// The process there.
    pub(crate) process: ProcessId,
    /// The number under which it waits.
    pub(crate) request: RequestId,
}

/// A request that failed, to be given back.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: SendErrorKind,
    pub(crate) target: Address,
    pub(crate) content: Content,
    pub(crate) expects: u64,
    pub(crate) context: Option<Vec<u8>>,
}

/// A response, given to who awaits it.
pub(crate) type Awaited = Result<(Address, Content), Failure>;

/// What becomes of the response.
#[derive(Debug)]
pub(crate) enum Then {
    /// It goes into the mailbox, with the context.
    Receive { context: Option<Vec<u8>> },
    /// The process waits for nothing else.
    Await(oneshot::Sender<Awaited>),
    /// It is handed on to somebody who waits elsewhere (a request that was inherited).
    HandOn(ReplyTo),
}

/// A request without its response yet.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: Address,
    /// Kept to be given back.
    pub(crate) content: Content,
    /// The time-out in milliseconds, as it was given.
    pub(crate) expects: u64,
    pub(crate) deadline: Instant,
    pub(crate) then: Then,
}

/// Something that comes out of `receive` before the messages in the mailbox.
#[derive(Debug)]
pub(crate) enum Due {
    Failed(Box<Failure>),
    Timer(u64),
    Completion { operation: u64, outcome: Result<Vec<u8>, String> },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    requests: HashMap<RequestId, Request>,
    deadlines: BTreeSet<(Instant, RequestIdOrder)>,
    timers: BTreeMap<(Instant, u64), ()>,
    due: VecDeque<Due>,
    last_number: u64,
}

/// A request's place among those with the same deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RequestIdOrder(u128);

impl From<RequestId> for RequestIdOrder {
    fn from(id: RequestId) -> Self {
        Self(id.number())
    }
}

impl Pending {
    /// How many requests wait.
    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    /// Enters a request.
    pub(crate) fn enter(&mut self, id: RequestId, request: Request) {
        self.deadlines.insert((request.deadline, id.into()));
        self.requests.insert(id, request);
    }

    /// Whether this request waits, and for a process of which node.
    pub(crate) fn waits_for(&self, id: RequestId) -> Option<&str> {
        self.requests.get(&id).map(|request| request.target.node())
    }

    /// Takes a request out, because its response has come or it could not be sent.
    pub(crate) fn take(&mut self, id: RequestId) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        self.deadlines.remove(&(request.deadline, id.into()));
        Some(request)
    }

    /// Fails one request. What was to be handed on is returned: its requester has to be told.
    pub(crate) fn fail(&mut self, id: RequestId, kind: SendErrorKind) -> Option<(ReplyTo, SendErrorKind)> {
        let request = self.take(id)?;
        let failure = Failure { kind: kind.clone(), target: request.target, content: request.content, expects: request.expects, context: None };
        match request.then {
            Then::Receive { context } => self.due.push_back(Due::Failed(Box::new(Failure { context, ..failure }))),
            // If nobody awaits it any more, the process has ended.
            Then::Await(awaited) => drop(awaited.send(Err(failure))),
            Then::HandOn(reply) => return Some((reply, kind)),
        }
        None
    }

    /// Fails all requests to a node.
    pub(crate) fn fail_node(&mut self, node: &str, why: &SendErrorKind) -> Vec<(ReplyTo, SendErrorKind)> {
        let lost: Vec<RequestId> = self.requests.iter().filter(|(_, request)| request.target.node() == node).map(|(id, _)| *id).collect();
        lost.into_iter().filter_map(|id| self.fail(id, why.clone())).collect()
    }

    /// Forgets everything. Returns the requests, each with who waits for it elsewhere.
    pub(crate) fn forget(&mut self) -> Vec<(RequestId, Option<ReplyTo>)> {
        let last_number = self.last_number;
        let old = std::mem::replace(self, Self { last_number, ..Self::default() });
        old.requests
            .into_iter()
            .map(|(id, request)| match request.then {
                Then::HandOn(reply) => (id, Some(reply)),
                Then::Receive { .. } | Then::Await(_) => (id, None),
            })
            .collect()
    }

    /// Sets a timer and returns its number.
    pub(crate) fn set_timer(&mut self, at: Instant) -> u64 {
        if self.timers.len() >= MAX_TIMERS {
            self.timers.pop_first();
        }
        let number = self.next_number();
        self.timers.insert((at, number), ());
        number
    }

    /// Stops a timer.
    pub(crate) fn cancel_timer(&mut self, number: u64) -> bool {
        let Some(key) = self.timers.keys().find(|(_, n)| *n == number).copied() else { return false };
        self.timers.remove(&key).is_some()
    }

    /// A number for a timer or an operation, not used before in this process.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// An operation is done.
    pub(crate) fn complete(&mut self, operation: u64, outcome: Result<Vec<u8>, String>) {
        if self.due.len() < MAX_COMPLETIONS {
            self.due.push_back(Due::Completion { operation, outcome });
        }
    }

    /// Time has come to `now`: fails what is past its deadline. What was to be handed on is returned.
    pub(crate) fn advance(&mut self, now: Instant) -> Vec<(ReplyTo, SendErrorKind)> {
        let mut handed_on = Vec::new();
        while let Some((deadline, order)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            let id = RequestId::from_number(order.0);
            self.deadlines.remove(&(deadline, order));
            handed_on.extend(self.fail(id, SendErrorKind::Timeout));
        }
        while let Some((&(at, number), ())) = self.timers.first_key_value() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.due.push_back(Due::Timer(number));
        }
        handed_on
    }

    /// The next thing that is due.
    pub(crate) fn take_due(&mut self) -> Option<Due> {
        self.due.pop_front()
    }

    /// When [`Pending::advance`] will have something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let request = self.deadlines.first().map(|(at, _)| *at);
        let timer = self.timers.keys().next().map(|(at, _)| *at);
        [request, timer].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(target: &str, deadline: Instant, then: Then) -> Request {
        Request { target: target.parse().unwrap(), content: Content::default(), expects: 1000, deadline, then }
    }

    #[test]
    fn a_request_that_is_answered_in_time_never_times_out() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let id = RequestId::random();
        pending.enter(id, request("bob@a:p:q", start + Duration::from_secs(1), Then::Receive { context: Some(vec![7]) }));
        assert!(matches!(pending.take(id).unwrap().then, Then::Receive { context: Some(context) } if context == [7]));
        pending.advance(start + Duration::from_secs(2));
        assert!(pending.take_due().is_none() && pending.next_deadline().is_none());
    }

    #[test]
    fn an_unanswered_request_comes_back_with_its_context_once() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let id = RequestId::random();
        pending.enter(id, request("bob@a:p:q", start + Duration::from_secs(1), Then::Receive { context: Some(vec![7]) }));
        pending.advance(start);
        assert!(pending.take_due().is_none());
        assert_eq!(pending.next_deadline(), Some(start + Duration::from_secs(1)));
        pending.advance(start + Duration::from_secs(1));
        let Some(Due::Failed(failure)) = pending.take_due() else { panic!("nothing came back") };
        assert_eq!((failure.kind, failure.context), (SendErrorKind::Timeout, Some(vec![7])));
        assert!(pending.take(id).is_none() && pending.take_due().is_none());
    }

    #[test]
    fn losing_a_node_fails_the_requests_to_it_and_no_other() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        for target in ["bob@a:p:q", "carol@a:p:q", "bob@b:p:q"] {
            pending.enter(RequestId::random(), request(target, start + Duration::from_secs(1), Then::Receive { context: None }));
        }
        pending.fail_node("bob", &SendErrorKind::Offline("gone".into()));
        assert_eq!(pending.requests(), 1);
        assert!(matches!(pending.take_due(), Some(Due::Failed(_))) && matches!(pending.take_due(), Some(Due::Failed(_))) && pending.take_due().is_none());
    }

    #[test]
    fn what_is_handed_on_fails_towards_the_one_who_waits() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let reply = ReplyTo { node: None, process: "c:p:q".parse().unwrap(), request: RequestId::random() };
        pending.enter(RequestId::random(), request("bob@a:p:q", start, Then::HandOn(reply.clone())));
        assert_eq!(pending.advance(start), vec![(reply, SendErrorKind::Timeout)]);
        assert!(pending.take_due().is_none());
    }

    #[test]
    fn timers_run_out_in_their_order_unless_stopped() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let late = pending.set_timer(start + Duration::from_secs(2));
        let early = pending.set_timer(start + Duration::from_secs(1));
        let stopped = pending.set_timer(start + Duration::from_secs(1));
        assert!(pending.cancel_timer(stopped) && !pending.cancel_timer(stopped));
        pending.advance(start + Duration::from_secs(3));
        let mut fired = Vec::new();
        while let Some(Due::Timer(number)) = pending.take_due() {
            fired.push(number);
        }
        assert_eq!(fired, [early, late]);
    }
}
