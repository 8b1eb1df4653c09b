//! Messages over the link: order, flow control, refusals.

use super::*;
use crate::link::protocol::{WINDOW_BYTES, WINDOW_MESSAGES};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_order_with_all_their_parts_in_both_directions() {
    let (mut alice, mut bob, _proxy) = alice_and_bob().await;
    for number in 0..1000 {
        let small = if number % 3 == 0 { blob(number, number) } else { None };
        alice.send("bob", request("target:p:q", &number.to_string()), small).await.unwrap();
    }
    for number in 0..1000 {
        let (head, blob) = bob.message().await;
        assert_eq!(head.body, number.to_string());
        assert_eq!((head.source.to_string(), head.target.to_string(), head.metadata.as_deref()), ("sender:p:q".into(), "target:p:q".into(), Some("note")));
        assert!(id(&head).is_some());
        assert_eq!(blob.is_some(), number % 3 == 0);
        if let Some(blob) = blob {
            assert_eq!((blob.read_blocking(0, number as u64).unwrap(), blob.mime_type()), (bytes(number, number).into(), Some("text/plain")));
        }
    }
    let to = RequestId::random();
    bob.send("alice", head("sender:p:q", "answer", HeadKind::Response { to }), None).await.unwrap();
    let (answer, _) = alice.message().await;
    assert!(answer.body == "answer" && matches!(answer.kind, HeadKind::Response { to: id } if id == to));
    assert!(alice.links.connected("bob") && bob.links.connected("alice") && alice.quiet() && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_message_fits_and_a_larger_one_is_refused_here() {
    let (alice, mut bob, _proxy) = alice_and_bob().await;
    let largest = Head { body: bytes(1, MAX_BODY).into(), metadata: Some("m".repeat(MAX_METADATA)), ..request("target:p:q", "") };
    alice.send("bob", largest.clone(), blob(2, MAX_INLINE_BLOB as usize)).await.unwrap();
    let (head, blob) = bob.message().await;
    assert_eq!((head.body, head.metadata), (largest.body.clone(), largest.metadata.clone()));
    assert_eq!(*blob.unwrap().in_memory().unwrap(), bytes(2, MAX_INLINE_BLOB as usize));
    for (head, blob) in [
        (Head { body: vec![0; MAX_BODY + 1].into(), ..request("target:p:q", "") }, None),
        (Head { metadata: Some("m".repeat(MAX_METADATA + 1)), ..request("target:p:q", "") }, None),
        (request("target:p:q", ""), Some(Blob::from_bytes(vec![0; MAX_REMOTE_BLOB as usize + 1], None))),
        (request("target:p:q", ""), Some(Blob::from_bytes(vec![0; 1], Some("m".repeat(256))))),
    ] {
        assert!(matches!(alice.send("bob", head, blob).await, Err(LinkError::TooLarge(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_slows_its_own_senders_and_nobody_else() {
    let (alice, mut bob, _proxy) = alice_and_bob().await;
    let gate = bob.gate("full:p:q", 0);
    let links = alice.links.clone();
    let flood = tokio::spawn(async move {
        for number in 0..WINDOW_MESSAGES * 2 {
            links.send("bob", request("full:p:q", &number.to_string()), None, 1).await.unwrap();
        }
    });
    soon(bob.fake.waiting.subscribe().wait_for(|waiting| *waiting == 1)).await.unwrap();
    // Meanwhile, the other way and for other targets, with small and large blobs, all goes on.
    for number in 0..WINDOW_MESSAGES * 2 {
        alice.send("bob", request("other:p:q", &number.to_string()), None).await.unwrap();
        let (head, _) = bob.message().await;
        assert_eq!((head.target.process(), head.body), ("other", number.to_string().into()));
    }
    alice.send("bob", request("other:p:q", "large"), blob(1, 1 << 20)).await.unwrap();
    assert_eq!(bob.message().await.0.body, "large");
    assert!(!flood.is_finished(), "more messages were taken than the window allows");
    gate.add_permits(usize::MAX >> 4);
    for number in 0..WINDOW_MESSAGES * 2 {
        assert_eq!(bob.message().await.0.body, number.to_string());
    }
    soon(flood).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_a_window_is_under_way_in_messages_and_in_bytes() {
    for (size, fits) in [(10, WINDOW_MESSAGES), (1 << 20, WINDOW_BYTES / (1 << 20) - 1)] {
        let (alice, mut bob, _proxy) = alice_and_bob().await;
        let gate = bob.gate("full:p:q", 0);
        let message = || Head { body: vec![7; size].into(), ..request("full:p:q", "") };
        for _ in 0..fits {
            alice.send("bob", message(), None).await.unwrap();
        }
        // Bodies count with their metadata, so of the large ones one less fits than the window has megabytes.
        let mut next = Box::pin(alice.links.send("bob", message(), None, 1));
        soon(bob.fake.waiting.subscribe().wait_for(|waiting| *waiting == 1)).await.unwrap();
        assert!((&mut next).now_or_never().is_none());
        assert!(bob.quiet());
        gate.add_permits(1);
        assert_eq!(bob.message().await.0.body.len(), size);
        soon(next).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_comes_back_with_the_reason_and_a_refused_response_is_dropped() {
    let (mut alice, bob, _proxy) = alice_and_bob().await;
    for why in [Refusal::NoSuchProcess, Refusal::Denied("not you".into()), Refusal::Busy("full".into())] {
        bob.fake.refusals.lock().insert("target:p:q".parse().unwrap(), why.clone());
        for blob in [None, blob(1, 5), blob(2, 3 << 20)] {
            alice.send("bob", head("target:p:q", "", HeadKind::Response { to: RequestId::random() }), blob.clone()).await.unwrap();
            alice.send("bob", head("target:p:q", "", HeadKind::Request { reply: None }), blob.clone()).await.unwrap();
            let request = request("target:p:q", "");
            alice.send("bob", request.clone(), blob).await.unwrap();
            assert_eq!(alice.refusal().await, (id(&request), why.clone()));
        }
    }
    assert!(alice.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_targets_at_once_get_each_their_messages_in_order() {
    let (alice, mut bob, _proxy) = alice_and_bob().await;
    let senders = (0..50).map(|target| {
        let links = alice.links.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                links.send("bob", request(&format!("t{target}:p:q"), &number.to_string()), None, 1).await.unwrap();
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut next = HashMap::<String, usize>::new();
    for _ in 0..5000 {
        let (head, _) = bob.message().await;
        let number = next.entry(head.target.to_string()).or_default();
        assert_eq!(head.body, number.to_string());
        *number += 1;
    }
    for sender in senders {
        soon(sender).await.unwrap();
    }
}
