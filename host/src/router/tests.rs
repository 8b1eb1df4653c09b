//! The rules of messages within one node, without any guest.

use futures::FutureExt;
use tokio::sync::oneshot;

use super::*;
use crate::capability::{Capability, Kind};
use crate::engine::Limits;
use crate::process::Birth;
use crate::process::pending::{Awaited, Due};

struct World {
    router: Arc<Router>,
    loading: Arc<Loading>,
    limits: Limits,
}

impl World {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let loading = Arc::<Loading>::default();
        Self { router: Router::new(NodeName::new("alice").unwrap(), limits.pending_requests, loading.clone()), loading, limits }
    }

    fn process(&self, id: &str, public: bool) -> Arc<Process> {
        let birth =
            Birth { id: id.parse().unwrap(), parent: None, component: "c".into(), public, owner: false, held: Vec::new(), memory_limit: 0, asked: None };
        let process = Arc::new(Process::new(birth, &self.limits));
        assert!(self.router.enter(&process));
        process
    }

    async fn send(&self, from: &Process, target: &str, body: &str, expects: Option<u64>) -> Result<(), SendErrorKind> {
        let outgoing = Outgoing { expects, ..to(target, body) };
        self.router.send_request(from, Box::new(outgoing)).await.map_err(|(kind, _)| kind)
    }
}

fn to(target: &str, body: &str) -> Outgoing {
    let content = Content { body: body.to_owned().into(), ..Content::default() };
    Outgoing { target: target.parse().unwrap(), content, expects: None, then: Then::Receive { context: Some(body.into()) }, inherited: None }
}

fn text(body: &str) -> Content {
    Content { body: body.to_owned().into(), ..Content::default() }
}

#[derive(Debug, PartialEq)]
enum Got {
    Request(String, String, Option<ReplyTo>),
    Response(String, String, Option<Vec<u8>>),
}

fn take(process: &Process) -> Option<Got> {
    let string = |content: &Content| String::from_utf8(content.body.to_vec()).unwrap();
    Some(match process.mailbox.take()? {
        Item::Request { source, content, reply } => Got::Request(source.to_string(), string(&content), reply),
        Item::Response { source, content, context } => Got::Response(source.to_string(), string(&content), context),
    })
}

fn reply_of(got: Option<Got>) -> ReplyTo {
    match got {
        Some(Got::Request(_, _, Some(reply))) => reply,
        other => panic!("no request that expects a response: {other:?}"),
    }
}

#[tokio::test]
async fn a_response_comes_back_with_the_context_of_its_request() {
    let world = World::new();
    let (asker, answerer) = (world.process("a:p:q", false), world.process("b:p:q", false));
    world.send(&asker, "alice@b:p:q", "question", Some(1000)).await.unwrap();
    let reply = reply_of(take(&answerer));
    world.router.send_response(&answerer, &reply, text("answer")).await.unwrap();
    assert_eq!(take(&asker), Some(Got::Response("alice@b:p:q".into(), "answer".into(), Some(b"question".to_vec()))));
    // A second answer finds nobody who waits.
    world.router.send_response(&answerer, &reply, text("again")).await.unwrap();
    assert_eq!(take(&asker), None);
}

#[tokio::test]
async fn a_request_that_is_handed_on_is_answered_to_the_one_who_asked_first() {
    let world = World::new();
    let (first, middle, last) = (world.process("a:p:q", false), world.process("b:p:q", false), world.process("c:p:q", false));
    world.send(&first, "alice@b:p:q", "question", Some(1000)).await.unwrap();
    let reply = reply_of(take(&middle));
    let outgoing = Outgoing { inherited: Some(reply.clone()), ..to("alice@c:p:q", "handed on") };
    world.router.send_request(&middle, Box::new(outgoing)).await.map_err(|(kind, _)| kind).unwrap();
    let inherited = reply_of(take(&last));
    assert_eq!(inherited, reply);
    world.router.send_response(&last, &inherited, text("answer")).await.unwrap();
    assert_eq!(take(&first), Some(Got::Response("alice@c:p:q".into(), "answer".into(), Some(b"question".to_vec()))));
    assert_eq!(take(&middle), None);
}

#[tokio::test]
async fn who_waits_for_a_process_that_ends_is_told_at_once_and_gets_the_request_back() {
    let world = World::new();
    let (asker, answerer) = (world.process("a:p:q", false), world.process("b:p:q", false));
    world.send(&asker, "alice@b:p:q", "question", Some(60_000)).await.unwrap();
    world.router.remove(&answerer);
    let Some(Due::Failed(failure)) = asker.pending.lock().take_due() else { panic!("nothing came back") };
    assert_eq!((failure.kind, failure.content.body.as_ref(), failure.context), (SendErrorKind::NoSuchProcess, &b"question"[..], Some(b"question".to_vec())));
    assert_eq!(world.send(&asker, "alice@b:p:q", "again", None).await, Err(SendErrorKind::NoSuchProcess));
}

#[tokio::test]
async fn a_process_of_another_package_needs_a_capability_unless_the_target_is_public() {
    let world = World::new();
    let stranger = world.process("a:other:q", false);
    let private = world.process("b:p:q", false);
    let _public = world.process("c:p:q", true);
    world.send(&stranger, "alice@c:p:q", "hello", None).await.unwrap();
    assert!(matches!(world.send(&stranger, "alice@b:p:q", "hello", None).await, Err(SendErrorKind::Denied(_))));
    let capability = Capability::granted(Kind::Messaging(private.id.clone()));
    stranger.keep(&capability).unwrap();
    world.send(&stranger, "alice@b:p:q", "hello", None).await.unwrap();
    capability.end();
    assert!(matches!(world.send(&stranger, "alice@b:p:q", "hello", None).await, Err(SendErrorKind::Denied(_))));
}

#[tokio::test]
async fn a_full_mailbox_slows_its_own_senders_and_nobody_else() {
    let world = World::with(Limits { mailbox_messages: 1, ..Limits::default() });
    let (sender, slow, other) = (world.process("a:p:q", false), world.process("slow:p:q", false), world.process("other:p:q", false));
    world.send(&sender, "alice@slow:p:q", "one", None).await.unwrap();
    let mut waiting = Box::pin(world.send(&sender, "alice@slow:p:q", "two", None));
    assert!(waiting.as_mut().now_or_never().is_none());
    world.send(&sender, "alice@other:p:q", "unhindered", None).await.unwrap();
    assert!(take(&other).is_some());
    assert!(take(&slow).is_some());
    waiting.await.unwrap();
    assert!(take(&slow).is_some());
}

#[tokio::test]
async fn a_process_whose_own_mailbox_is_full_is_told_so_and_does_not_wait_for_itself() {
    let world = World::with(Limits { mailbox_messages: 1, ..Limits::default() });
    let lonely = world.process("a:p:q", false);
    world.send(&lonely, "alice@a:p:q", "one", None).await.unwrap();
    assert_eq!(world.send(&lonely, "alice@a:p:q", "two", None).await, Err(SendErrorKind::Timeout));
}

#[tokio::test]
async fn an_awaited_request_that_is_not_answered_fails_in_time() {
    let world = World::new();
    let (asker, _silent) = (world.process("a:p:q", false), world.process("b:p:q", false));
    let (sender, receiver) = oneshot::channel::<Awaited>();
    let outgoing = Outgoing { expects: Some(1), then: Then::Await(sender), ..to("alice@b:p:q", "question") };
    world.router.send_request(&asker, Box::new(outgoing)).await.map_err(|(kind, _)| kind).unwrap();
    asker.pending.lock().advance(Instant::now() + Duration::from_secs(1));
    assert_eq!(receiver.await.unwrap().unwrap_err().kind, SendErrorKind::Timeout);
}

#[tokio::test]
async fn capabilities_that_were_lent_end_with_the_process_that_lent_them() {
    let world = World::new();
    let (giver, taker) = (world.process("a:p:q", false), world.process("b:p:q", false));
    let own = Capability::granted(Kind::Network).passed_on(&giver.id);
    giver.keep(&own).unwrap();
    let mut outgoing = to("alice@b:p:q", "take this");
    outgoing.content.capabilities = vec![own];
    world.router.send_request(&giver, Box::new(outgoing)).await.map_err(|(kind, _)| kind).unwrap();
    let Some(Item::Request { content, .. }) = taker.mailbox.take() else { panic!("nothing came") };
    taker.keep(&content.capabilities[0]).unwrap();
    assert!(taker.may_network());
    world.router.remove(&giver);
    assert!(!taker.may_network());
}

#[tokio::test]
async fn what_exceeds_a_limit_is_refused_with_the_limit_in_words() {
    let world = World::with(Limits { pending_requests: 1, ..Limits::default() });
    let (asker, _answerer) = (world.process("a:p:q", false), world.process("b:p:q", false));
    let large = "x".repeat(MAX_BODY + 1);
    assert!(matches!(world.send(&asker, "alice@b:p:q", &large, None).await, Err(SendErrorKind::TooLarge(_))));
    assert!(matches!(world.send(&asker, "alice@b:p:q", "x", Some(0)).await, Err(SendErrorKind::TooLarge(_))));
    world.send(&asker, "alice@b:p:q", "first", Some(1000)).await.unwrap();
    assert!(matches!(world.send(&asker, "alice@b:p:q", "second", Some(1000)).await, Err(SendErrorKind::TooLarge(_))));
}

#[tokio::test]
async fn only_who_may_use_the_network_sends_to_another_node() {
    let world = World::new();
    let asker = world.process("a:p:q", false);
    assert!(matches!(world.send(&asker, "bob@b:p:q", "hello", None).await, Err(SendErrorKind::Denied(_))));
}

#[tokio::test]
async fn a_process_of_a_package_that_is_being_loaded_is_waited_for() {
    let world = World::new();
    let asker = world.process("a:p:q", false);
    let package = "slow:q".parse().unwrap();
    world.loading.begin(&package, Vec::new());
    let mut sends: Vec<_> = ["first", "second", "third"].map(|body| Box::pin(world.send(&asker, "alice@main:slow:q", body, Some(60_000)))).into();
    assert!(sends.iter_mut().all(|send| send.now_or_never().is_none()));
    // A name that it does not have is none, but not before that is known.
    let mut nobody = Box::pin(world.send(&asker, "alice@nobody:slow:q", "x", None));
    assert!((&mut nobody).now_or_never().is_none());
    let main = world.process("main:slow:q", true);
    world.loading.end(&package);
    for sent in sends {
        sent.await.unwrap();
    }
    let bodies: Vec<_> = std::iter::from_fn(|| take(&main)).map(|got| if let Got::Request(_, body, _) = got { body } else { panic!("{got:?}") }).collect();
    assert_eq!(bodies, ["first", "second", "third"]);
    assert_eq!(nobody.await, Err(SendErrorKind::NoSuchProcess));
}

#[tokio::test(start_paused = true)]
async fn a_package_that_is_loaded_for_too_long_is_waited_for_as_long_as_the_message_may_take() {
    let world = World::new();
    let asker = world.process("a:p:q", false);
    world.loading.begin(&"slow:q".parse().unwrap(), Vec::new());
    let begun = tokio::time::Instant::now();
    assert_eq!(world.send(&asker, "alice@main:slow:q", "x", Some(5_000)).await, Err(SendErrorKind::Timeout));
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(world.send(&asker, "alice@main:slow:q", "x", None).await, Err(SendErrorKind::Timeout));
    assert_eq!(begun.elapsed().as_secs(), 65);
}
