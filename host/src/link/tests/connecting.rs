//! How links come to be and end.

use super::*;

fn text(result: Result<(), LinkError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_than_the_peers_is_not_talked_to() {
    let alice = Node::start("alice", quick()).await;
    let mallory = Node::start("mallory", quick()).await;
    let bob = Identity::generate("bob").unwrap();
    alice.meet_key("bob", bob.key(), mallory.address);
    mallory.meet_at(&alice, alice.address);
    let error = alice.send("bob", request("target:p:q", ""), None).await.unwrap_err();
    assert!(matches!(&error, LinkError::WrongKey { shown, expected, .. } if *shown == mallory.identity.key() && *expected == bob.key()));
    let text = error.to_string();
    assert!(text.contains(&mallory.address.to_string()) && text.contains("is not bob"), "{text}");
    assert!(!alice.links.connected("bob") && !mallory.links.connected("alice"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_no_peer_there_is_told_what_to_do() {
    let alice = Node::start("alice", quick()).await;
    let mut bob = Node::start("bob", quick()).await;
    alice.meet_at(&bob, bob.address);
    for _ in 0..20 {
        let error = alice.send("bob", request("target:p:q", ""), None).await.unwrap_err();
        assert!(matches!(&error, LinkError::NotAccepted(name) if name == "bob"), "{error}");
        assert!(error.to_string().contains("add our ticket"), "{error}");
    }
    assert!(bob.quiet());
    // Once it is added, it is accepted.
    bob.meet_at(&alice, alice.address);
    alice.send("bob", request("target:p:q", "now"), None).await.unwrap();
    assert_eq!(bob.message().await.0.body, "now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_unreachable_and_addressless_peers_are_told_apart() {
    let alice = Node::start("alice", quick()).await;
    let error = alice.send("carol", request("target:p:q", ""), None).await.unwrap_err();
    assert_eq!(error, LinkError::UnknownPeer("carol".into()));
    let closed = nowhere().await;
    alice.meet_key("bob", PublicKey::from([1; 32]), closed);
    let error = text(alice.send("bob", request("target:p:q", ""), None).await);
    assert!(error.contains(&closed.to_string()) && error.contains("transship serve"), "{error}");
    std::fs::write(alice._home.path().join("peers.toml"), format!("[peer.dave]\nkey = \"{}\"", PublicKey::from([2; 32]))).unwrap();
    alice.peers.reload().unwrap();
    let error = text(alice.send("dave", request("target:p:q", ""), None).await);
    assert!(error.contains("no address"), "{error}");
    assert!(matches!(SendErrorKind::from(LinkError::Offline(error)), SendErrorKind::Offline(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_listener_and_one_of_another_protocol_are_given_up() {
    let deadlines = Deadlines { handshake: Duration::from_millis(100), ..quick() };
    let alice = Node::start("alice", deadlines).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    alice.meet_key("bob", PublicKey::from([1; 32]), silent.local_addr().unwrap());
    let error = text(alice.send("bob", request("target:p:q", ""), None).await);
    assert!(error.contains("within 0.1 s"), "{error}");
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    alice.meet_key("carol", PublicKey::from([2; 32]), other.local_addr().unwrap());
    let answer = tokio::spawn(async move {
        let (mut socket, _) = other.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"220 mail.example ESMTP\r\n").await.unwrap();
        socket
    });
    let error = text(alice.send("carol", request("target:p:q", ""), None).await);
    assert!(error.contains("no transship node"), "{error}");
    soon(answer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_wait_for_a_link_share_one_attempt() {
    let (alice, mut bob, proxy) = alice_and_bob().await;
    let sends: Vec<_> = (0..50).map(|number| alice.links.send("bob", request("target:p:q", &number.to_string()), None, 1)).collect();
    for sent in soon(futures::future::join_all(sends)).await {
        sent.unwrap();
    }
    for _ in 0..50 {
        bob.message().await;
    }
    assert_eq!(proxy.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_dial_each_other_at_once_can_both_send_and_lose_each_other_once() {
    let mut alice = Node::start("alice", quick()).await;
    let mut bob = Node::start("bob", quick()).await;
    alice.meet_at(&bob, bob.address);
    bob.meet_at(&alice, alice.address);
    let (there, back) = tokio::join!(alice.send("bob", request("target:p:q", "there"), None), bob.send("alice", request("target:p:q", "back"), None));
    there.unwrap();
    back.unwrap();
    assert_eq!(bob.message().await.0.body, "there");
    assert_eq!(alice.message().await.0.body, "back");
    alice.send("bob", request("target:p:q", "again"), blob(1, 1 << 20)).await.unwrap();
    bob.send("alice", request("target:p:q", "again"), blob(1, 1 << 20)).await.unwrap();
    assert_eq!(bob.message().await.0.body, "again");
    assert_eq!(alice.message().await.0.body, "again");
    soon(bob.links.shutdown()).await;
    assert!(alice.lost().await.contains("the node is ending"));
    bob.lost().await;
    assert!(alice.quiet() && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_link_is_told_on_both_sides_and_the_next_message_opens_a_new_one() {
    let (mut alice, mut bob, proxy) = alice_and_bob().await;
    for round in 0..3 {
        alice.send("bob", request("target:p:q", "before"), None).await.unwrap();
        assert_eq!(bob.message().await.0.body, "before");
        proxy.doom(round, Fate::EndAfter(0));
        alice.lost().await;
        bob.lost().await;
        assert!(!alice.links.connected("bob") && !bob.links.connected("alice"));
    }
    assert!(alice.quiet() && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_on_which_nothing_is_heard_is_given_up_and_an_idle_one_is_not() {
    let deadlines = Deadlines { ping_after: Duration::from_millis(200), dead_after: Duration::from_millis(2000), ..quick() };
    let (mut alice, mut bob, proxy) = pair(deadlines).await;
    alice.send("bob", request("target:p:q", "x"), None).await.unwrap();
    bob.message().await;
    // Idle for longer than it takes to be given up.
    assert!(tokio::time::timeout(Duration::from_millis(3500), alice.events.recv()).await.is_err());
    assert!(alice.links.connected("bob"));
    proxy.doom_all(Fate::Silence);
    assert!(alice.lost().await.contains("nothing was heard of bob"));
    assert!(bob.lost().await.contains("nothing was heard of alice"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_started_again_is_linked_at_once_though_its_old_link_was_never_closed() {
    let (alice, mut bob, proxy) = alice_and_bob().await;
    alice.send("bob", request("target:p:q", "first"), None).await.unwrap();
    bob.message().await;
    proxy.doom_all(Fate::Silence);
    // The same identity and peers, another run of the node.
    let links = Links::new(&alice.identity, alice.peers.clone(), quick()).unwrap();
    soon(links.send("bob", request("target:p:q", "second"), None, 1)).await.unwrap();
    bob.lost().await;
    assert_eq!(bob.message().await.0.body, "second");
    assert!(bob.links.connected("alice") && bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_peer_is_disconnected_and_not_let_in_again() {
    let (mut alice, mut bob, _proxy) = alice_and_bob().await;
    alice.send("bob", request("target:p:q", "x"), blob(1, 1 << 20)).await.unwrap();
    bob.message().await;
    bob.peers.remove("alice").unwrap();
    bob.links.disconnect("alice");
    assert!(alice.lost().await.contains("its owner ended the link"));
    bob.lost().await;
    let error = alice.send("bob", request("target:p:q", ""), None).await.unwrap_err();
    assert!(matches!(error, LinkError::NotAccepted(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_a_shutdown_arrives() {
    let (mut alice, mut bob, _proxy) = alice_and_bob().await;
    for number in 0..100 {
        alice.send("bob", request("target:p:q", &number.to_string()), None).await.unwrap();
    }
    for number in 0..8 {
        alice.send("bob", request("large:p:q", ""), blob(number, 2 << 20)).await.unwrap();
    }
    soon(alice.links.shutdown()).await;
    for _ in 0..108 {
        bob.message().await;
    }
    bob.lost().await;
    alice.lost().await;
    assert!(matches!(alice.send("bob", request("target:p:q", ""), None).await, Err(LinkError::Offline(_))));
    assert!(TcpStream::connect(alice.address).await.is_err(), "it still listens");
}
