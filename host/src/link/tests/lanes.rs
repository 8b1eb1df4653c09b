//! Large blobs: lanes, their ends, files.

use super::*;
use crate::blob::ReadAt;

/// A file of bytes that follow from their place, which ends early.
#[derive(Debug)]
struct Cut {
    seed: usize,
    end: u64,
}

impl ReadAt for Cut {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        if offset + buffer.len() as u64 > self.end {
            return Err(BlobError::Changed);
        }
        for (place, byte) in buffer.iter_mut().enumerate() {
            let i = offset as usize + place;
            *byte = ((i >> 9) ^ i ^ (self.seed * 31)) as u8;
        }
        Ok(())
    }
}

fn number(head: &Head) -> usize {
    std::str::from_utf8(&head.body).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_blobs_over_four_lanes_arrive_identical() {
    let (alice, mut bob, proxy) = alice_and_bob().await;
    let links = alice.links.clone();
    let sending = tokio::spawn(async move {
        for number in 0..100 {
            let blob = if number % 2 == 0 { blob(number, 1 << 20) } else { Some(Blob::from_file(Arc::new(Cut { seed: number, end: 2 << 20 }), 0, 1 << 20)) };
            links.send("bob", request("target:p:q", &number.to_string()), blob, 4).await.unwrap();
        }
    });
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let (head, blob) = bob.message().await;
        let number = number(&head);
        assert!(seen.insert(number));
        assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(number, 1 << 20));
    }
    soon(sending).await.unwrap();
    assert!(bob.quiet());
    assert!((2..=5).contains(&proxy.count()), "{} connections for four lanes", proxy.count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_of_every_length_around_the_limits_arrive() {
    let (alice, mut bob, _proxy) = alice_and_bob().await;
    // Around: nothing, what goes inline, a piece, several pieces, the most.
    for length in [0, 1, 16383, 16384, 16385, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, (1 << 20) + 1, MAX_REMOTE_BLOB as usize] {
        for source in [Blob::from_bytes(bytes(3, length), None), Blob::from_file(Arc::new(Cut { seed: 3, end: 1 << 40 }), 0, length as u64)] {
            alice.send("bob", request("target:p:q", ""), Some(source)).await.unwrap();
            let (_, blob) = bob.message().await;
            assert!(*blob.unwrap().in_memory().unwrap() == bytes(3, length), "a blob of {length} bytes came out wrong");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_side_that_can_not_dial_gets_lanes_by_asking() {
    let (mut alice, mut bob, proxy) = alice_and_bob().await;
    alice.send("bob", request("target:p:q", ""), None).await.unwrap();
    bob.message().await;
    for number in 0..20 {
        bob.send("alice", request("target:p:q", &number.to_string()), blob(number, 1 << 20)).await.unwrap();
    }
    for _ in 0..20 {
        let (head, blob) = alice.message().await;
        assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(number(&head), 1 << 20));
    }
    assert!((2..=5).contains(&proxy.count()));
    // Lanes serve both directions: no new one is needed now.
    let before = proxy.count();
    alice.send("bob", request("target:p:q", ""), blob(1, 1 << 20)).await.unwrap();
    bob.message().await;
    assert_eq!(proxy.count(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_uses_no_more_lanes_than_it_may() {
    let (alice, mut bob, proxy) = alice_and_bob().await;
    alice.send("bob", request("target:p:q", "first"), None).await.unwrap();
    bob.message().await;
    let sends = (0..30).map(|number| alice.links.send("bob", request("target:p:q", &number.to_string()), blob(number, 1 << 20), 1));
    for sent in soon(futures::future::join_all(sends)).await {
        sent.unwrap();
    }
    for number in 0..30 {
        let (head, _) = bob.message().await;
        assert_eq!(head.body, number.to_string(), "what takes turns on one lane comes in order");
    }
    assert_eq!(proxy.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_conversations_shares_a_few_lanes() {
    let (alice, mut bob, proxy) = alice_and_bob().await;
    let sends = (0..100).map(|number| alice.links.send("bob", request(&format!("target{number}:p:q"), &number.to_string()), blob(number, 1 << 20), 4));
    let (sent, seen) = tokio::join!(soon(futures::future::join_all(sends)), async {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let (head, blob) = bob.message().await;
            assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(number(&head), 1 << 20));
            seen.insert(number(&head));
        }
        seen
    });
    assert!(sent.iter().all(Result::is_ok) && seen.len() == 100);
    assert!((2..=17).contains(&proxy.count()), "{} connections", proxy.count());
    // One conversation may use more than all of them share otherwise.
    let sends = (0..100).map(|number| alice.links.send("bob", request("target:p:q", &number.to_string()), blob(number, 1 << 20), 24));
    let (sent, ()) = tokio::join!(soon(futures::future::join_all(sends)), async {
        for _ in 0..100 {
            bob.message().await;
        }
    });
    assert!(sent.iter().all(Result::is_ok) && (18..=25).contains(&proxy.count()), "{} connections", proxy.count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_whose_blobs_are_long_on_their_way_gets_as_many_lanes_as_it_may_use() {
    const SHARE: usize = 8;
    for asks in [false, true] {
        let (alice, bob, proxy) = alice_and_bob().await;
        alice.send("bob", request("other:p:q", ""), None).await.unwrap();
        // With `asks`, the side that can't dial sends.
        let (from, mut to) = if asks { (bob, alice) } else { (alice, bob) };
        let (gate, name) = (to.gate("full:p:q", 0), if asks { "alice" } else { "bob" });
        let mut sent = 0;
        for lanes in 1..=SHARE {
            soon(async {
                while from.lanes(name).await < lanes {
                    // So little that a lane has written it at once and is idle, though nothing of it is taken there.
                    from.links.send(name, request("full:p:q", ""), blob(sent, 20_000), SHARE as u8).await.unwrap();
                    sent += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
        }
        for _ in 0..SHARE {
            from.links.send(name, request("full:p:q", ""), blob(sent, 20_000), SHARE as u8).await.unwrap();
            sent += 1;
        }
        gate.add_permits(sent);
        let mut arrived = 0;
        while arrived < sent {
            let (head, blob) = to.message().await;
            arrived += usize::from(head.target.to_string() == "full:p:q" && blob.is_some());
        }
        assert_eq!(proxy.count(), 1 + SHARE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_that_stand_still_keep_nobody_waiting() {
    let (alice, mut bob, _proxy) = pair(Deadlines { lane_wait: Duration::from_millis(20), ..quick() }).await;
    let gates: Vec<_> = (0..10).map(|number| bob.gate(&format!("full{number}:p:q"), 0)).collect();
    let (links, mut held) = (alice.links.clone(), tokio::task::JoinSet::new());
    for number in 0..40 {
        let links = links.clone();
        // Of files: of what is in memory, a link has less under way than this.
        let blob = Some(Blob::from_file(Arc::new(Cut { seed: number, end: 1 << 40 }), 0, 12 << 20));
        held.spawn(async move { links.send("bob", request(&format!("full{}:p:q", number / 4), &number.to_string()), blob, 4).await });
    }
    soon(bob.fake.waiting.subscribe().wait_for(|waiting| *waiting >= 16)).await.unwrap();
    alice.send("bob", request("other:p:q", "other"), blob(2, 1 << 20)).await.unwrap();
    assert_eq!(bob.message().await.0.body, "other");
    gates.iter().for_each(|gate| gate.add_permits(4));
    for _ in 0..40 {
        bob.message().await;
    }
    assert!(soon(held.join_all()).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_dies_in_the_middle_of_blobs_loses_none_and_doubles_none() {
    for after in [1, 100_000, 1_500_000, 3_000_000] {
        let (alice, mut bob, proxy) = alice_and_bob().await;
        alice.send("bob", request("target:p:q", "1000"), blob(1000, 100_000)).await.unwrap();
        bob.message().await;
        proxy.doom(1, Fate::EndAfter(after));
        let sends = (0..20).map(|number| alice.links.send("bob", request("target:p:q", &number.to_string()), blob(number, 1 << 20), 3));
        let (sent, seen) = tokio::join!(soon(futures::future::join_all(sends)), async {
            let mut seen = std::collections::HashSet::new();
            for _ in 0..20 {
                let (head, blob) = bob.message().await;
                assert!(seen.insert(number(&head)), "{} came twice", number(&head));
                assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(number(&head), 1 << 20));
            }
            seen
        });
        assert!(sent.iter().all(Result::is_ok) && seen.len() == 20);
        alice.send("bob", request("target:p:q", "end"), None).await.unwrap();
        assert_eq!(bob.message().await.0.body, "end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_falls_silent_is_replaced() {
    let deadlines = Deadlines { stall: Duration::from_millis(500), lane_hold: Duration::from_millis(100), ..quick() };
    let (alice, mut bob, proxy) = pair(deadlines).await;
    alice.send("bob", request("target:p:q", "0"), blob(0, 100_000)).await.unwrap();
    bob.message().await;
    proxy.doom(1, Fate::Silence);
    for number in 1..10 {
        alice.send("bob", request("target:p:q", &number.to_string()), blob(number, 1 << 20)).await.unwrap();
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 1..10 {
        assert!(seen.insert(number(&bob.message().await.0)));
    }
    assert!(proxy.count() > 2 && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_mailbox_is_no_stall() {
    let deadlines = Deadlines { stall: Duration::from_millis(1500), lane_hold: Duration::from_millis(100), ..quick() };
    let (mut alice, mut bob, proxy) = pair(deadlines).await;
    let gate = bob.gate("full:p:q", 0);
    alice.send("bob", request("full:p:q", "held"), blob(1, 12 << 20)).await.unwrap();
    soon(bob.fake.waiting.subscribe().wait_for(|waiting| *waiting == 1)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(3500), bob.events.recv()).await.is_err());
    // Other conversations have lanes of their own meanwhile.
    alice.send("bob", request("other:p:q", "other"), blob(2, 1 << 20)).await.unwrap();
    assert_eq!(bob.message().await.0.body, "other");
    gate.add_permits(1);
    let (head, blob) = bob.message().await;
    assert!(head.body == "held" && *blob.unwrap().in_memory().unwrap() == bytes(1, 12 << 20));
    assert_eq!(proxy.count(), 3, "the lane was replaced, though it only waited");
    assert!(alice.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_became_shorter_fails_its_message_and_the_lane_goes_on() {
    let (mut alice, mut bob, proxy) = alice_and_bob().await;
    let cut = |end| Some(Blob::from_file(Arc::new(Cut { seed: 1, end }), 0, 2 << 20));
    for end in [0, 1 << 20, (2 << 20) - 1] {
        let request = request("target:p:q", "");
        soon(alice.links.send("bob", request.clone(), cut(end), 1)).await.unwrap();
        let (number, why) = alice.refusal().await;
        assert!(number == id(&request) && matches!(why, Refusal::Unreadable(_)), "{why:?}");
        // As a response: it is the requester, over there, who is told.
        let to = RequestId::random();
        soon(alice.links.send("bob", head("target:p:q", "", HeadKind::Response { to }), cut(end), 1)).await.unwrap();
        let (number, why) = bob.refusal().await;
        assert!(number == Some(to) && why.to_string().contains("shorter"), "{why:?}");
    }
    soon(alice.links.send("bob", request("target:p:q", "whole"), cut(2 << 20), 1)).await.unwrap();
    let (_, blob) = bob.message().await;
    assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(1, 2 << 20));
    assert_eq!(proxy.count(), 2);
    // A small one is read before it is sent.
    let to = RequestId::random();
    let small = Some(Blob::from_file(Arc::new(Cut { seed: 1, end: 10 }), 0, 20));
    let error = alice.send("bob", head("target:p:q", "", HeadKind::Response { to }), small).await.unwrap_err();
    assert_eq!(error, LinkError::Blob(BlobError::Changed));
    assert_eq!(bob.refusal().await.0, Some(to));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_way_to_open_lanes_both_sides_are_told() {
    let (mut alice, mut bob, proxy) = alice_and_bob().await;
    alice.send("bob", request("target:p:q", ""), None).await.unwrap();
    bob.message().await;
    proxy.close(true);
    for (node, peer) in [(&alice, "bob"), (&bob, "alice")] {
        let error = node.send(peer, request("target:p:q", ""), blob(1, 1 << 20)).await.unwrap_err();
        assert!(matches!(&error, LinkError::Offline(text) if text.contains("no connection for blobs")), "{error}");
    }
    proxy.close(false);
    bob.send("alice", request("target:p:q", "now"), blob(1, 1 << 20)).await.unwrap();
    assert_eq!(alice.message().await.0.body, "now");
    assert!(alice.quiet() && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_lanes_are_closed_and_opened_again_when_needed() {
    let deadlines = Deadlines { lane_idle: Duration::from_millis(150), ..quick() };
    let (alice, mut bob, proxy) = pair(deadlines).await;
    for round in 1..=2 {
        alice.send("bob", request("target:p:q", ""), blob(1, 1 << 20)).await.unwrap();
        bob.message().await;
        assert_eq!(proxy.count(), 1 + round);
        soon(async {
            while alice.lanes("bob").await + bob.lanes("alice").await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
    assert!(alice.links.connected("bob") && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_link_breaks_with_blobs_under_way_it_is_lost_and_nothing_more_comes() {
    let (mut alice, mut bob, proxy) = alice_and_bob().await;
    bob.gate("full:p:q", 0);
    for number in 0..3 {
        alice.send("bob", request("full:p:q", ""), blob(number, 12 << 20)).await.unwrap();
    }
    soon(bob.fake.waiting.subscribe().wait_for(|waiting| *waiting == 3)).await.unwrap();
    proxy.doom_all(Fate::EndAfter(0));
    // A lane may end a moment before the link does.
    alice.lost_after_doubts().await;
    bob.lost().await;
    // What waited for the mailbox was dropped with its lane.
    alice.send("bob", request("other:p:q", "after"), blob(1, 1 << 20)).await.unwrap();
    assert_eq!(bob.message().await.0.body, "after");
    assert!(bob.quiet());
}
