use std::time::Duration;

use bytes::Bytes;

use super::protocol::Refusal;
use super::{ControlClient, ControlError, Embedded, Server};
use crate::blob::Blob;
use crate::home::Home;
use crate::message::{Address, Content, SendErrorKind};
use crate::node::{Node, NodeOptions};
use crate::rights::Rights;

const TIME: Duration = Duration::from_secs(10);

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::init(&folder.path().join("home"), "alice").unwrap();
    (folder, home)
}

fn content(body: &'static str, blob: Option<&'static str>) -> Content {
    Content { body: Bytes::from(body), blob: blob.map(|bytes| Blob::from_bytes(bytes, Some("text/plain".into()))), ..Content::default() }
}

async fn embedded(home: &Home) -> (Embedded, ControlClient) {
    Embedded::start(home, home.lock().unwrap(), NodeOptions::default()).await.unwrap()
}

/// A running node with its socket, and what ends it.
async fn running(home: &Home) -> (Node, tokio::task::JoinHandle<()>) {
    let lock = home.lock().unwrap();
    let node = Node::start(home, NodeOptions::default()).await.unwrap();
    let server = Server::bind(home, &lock).unwrap();
    let served = node.clone();
    let task = tokio::spawn(async move {
        let _lock = lock;
        server.serve(&served).await;
    });
    (node, task)
}

#[tokio::test]
async fn a_command_and_a_node_inside_it_speak_as_over_the_socket() {
    let (_folder, home) = home();
    let (embedded, client) = embedded(&home).await;
    let info = client.info().await.unwrap();
    assert_eq!((info.name.as_str(), info.key), ("alice", home.identity().unwrap().key()));
    assert_eq!(info.address.node(), "alice");
    assert!(client.peers().await.unwrap().is_empty());
    embedded.close().await;
}

#[tokio::test]
async fn two_commands_exchange_a_request_and_its_response_with_blobs() {
    let (_folder, home) = home();
    let (node, task) = running(&home).await;
    let (asks, answers) = (ControlClient::connect(&home).await.unwrap(), ControlClient::connect(&home).await.unwrap());
    let target = answers.info().await.unwrap().address;
    let asked = asks.begin(&target, content("question", Some("bytes")), TIME, &[]).await.unwrap();
    let incoming = answers.incoming().await.unwrap();
    assert_eq!(incoming.source, asks.info().await.unwrap().address);
    assert_eq!((&incoming.content.body[..], incoming.content.blob.as_ref().unwrap().mime_type()), (&b"question"[..], Some("text/plain")));
    assert_eq!(&incoming.content.blob.as_ref().unwrap().in_memory().unwrap()[..], b"bytes");
    incoming.respond("answer").await;
    let (source, answer) = asked.response().await.unwrap();
    assert_eq!((source, &answer.body[..]), (target, &b"answer"[..]));
    task.abort();
    node.shutdown().await;
}

#[tokio::test]
async fn requests_of_one_connection_arrive_in_the_order_in_which_they_were_begun() {
    let (_folder, home) = home();
    let (node, task) = running(&home).await;
    let (asks, answers) = (ControlClient::connect(&home).await.unwrap(), ControlClient::connect(&home).await.unwrap());
    let target = answers.info().await.unwrap().address;
    for round in 0..50u8 {
        let mut begun = Vec::new();
        for number in 0..8u8 {
            let content = Content { body: vec![round, number].into(), blob: Some(Blob::from_bytes(vec![number; 100_000], None)), ..Content::default() };
            begun.push(asks.begin(&target, content, TIME, &[]).await.unwrap());
        }
        for number in 0..8u8 {
            let incoming = answers.incoming().await.unwrap();
            assert_eq!(&incoming.content.body[..], [round, number]);
            incoming.respond("").await;
        }
        for asked in begun {
            asked.response().await.unwrap();
        }
    }
    task.abort();
    node.shutdown().await;
}

#[tokio::test]
async fn what_can_not_be_delivered_says_why() {
    let (_folder, home) = home();
    let (embedded, client) = embedded(&home).await;
    let nobody: Address = "alice@nobody:p:q".parse().unwrap();
    let error = client.request(&nobody, content("{}", None), TIME, &[]).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(Refusal::Send(SendErrorKind::NoSuchProcess))), "{error}");
    let much = Content { body: vec![0; crate::message::MAX_BODY + 1].into(), ..Content::default() };
    assert!(matches!(client.request(&nobody, much, TIME, &[]).await, Err(ControlError::TooLarge(_))));
    let error = client.kill(nobody.process()).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(Refusal::NotFound(_))), "{error}");
    embedded.close().await;
}

#[tokio::test]
async fn a_folder_is_lent_under_a_name_of_its_own_which_is_always_the_same_and_what_is_no_folder_is_not() {
    let (folder, home) = home();
    let (embedded, client) = embedded(&home).await;
    let first = client.lend(folder.path(), Rights::ALL, Some("name")).await.unwrap();
    let second = client.lend(folder.path(), Rights::ALL, None).await.unwrap();
    assert_ne!(first.drive(), second.drive());
    let again = client.lend(&folder.path().join("."), Rights::ALL, Some("name")).await.unwrap();
    assert_eq!(first.drive(), again.drive());
    assert!(client.lend(&folder.path().join("missing"), Rights::ALL, None).await.is_err());
    let relative = client.lend(std::path::Path::new("relative"), Rights::ALL, None).await.unwrap_err();
    assert!(matches!(relative, ControlError::Refused(Refusal::Invalid(_))), "{relative}");
    embedded.close().await;
}

#[tokio::test]
async fn peers_are_added_listed_and_removed() {
    let (_folder, home) = home();
    let (embedded, client) = embedded(&home).await;
    let key = crate::identity::Identity::generate("bob").unwrap().key();
    let ticket = format!("bob@127.0.0.1:7447#{key}");
    let read = Rights { list: true, read: true, write: false };
    let (added, known) = client.add_peer(&ticket, Some("robert"), Some(&[("files".into(), read)])).await.unwrap();
    assert_eq!((added.name.as_str(), known), ("robert", false));
    let peers = client.peers().await.unwrap();
    assert_eq!((peers[0].name.as_str(), peers[0].key, peers[0].allow.as_slice()), ("robert", key, &[("files".to_owned(), read)][..]));
    let (again, known) = client.add_peer(&ticket, None, None).await.unwrap();
    assert_eq!((again, known), (peers[0].clone(), true));
    let changed = client.allow_peer("robert", &[("files".into(), Rights::NONE)]).await.unwrap();
    assert_eq!((changed.allow.len(), client.peers().await.unwrap()), (0, vec![changed]));
    assert!(matches!(client.allow_peer("bob", &[]).await, Err(ControlError::Refused(Refusal::NotFound(_)))));
    assert!(matches!(client.add_peer("nonsense", None, None).await, Err(ControlError::Refused(Refusal::Invalid(_)))));
    client.remove_peer("robert").await.unwrap();
    assert!(matches!(client.remove_peer("robert").await, Err(ControlError::Refused(Refusal::NotFound(_)))));
    embedded.close().await;
}

#[tokio::test]
async fn a_node_that_was_killed_just_now_does_not_run() {
    let (_folder, home) = home();
    // The kernel still takes the connection, and then it is closed.
    let listener = tokio::net::UnixListener::bind(home.control_path()).unwrap();
    let killed = async { drop(listener.accept().await.unwrap()) };
    let (connected, ()) = tokio::join!(ControlClient::connect(&home), killed);
    assert!(matches!(connected, Err(ControlError::NotRunning(_))));
}

#[tokio::test]
async fn when_the_node_ends_every_wait_ends() {
    let (_folder, home) = home();
    assert!(matches!(ControlClient::connect(&home).await, Err(ControlError::NotRunning(_))));
    let (node, task) = running(&home).await;
    let (asks, silent) = (ControlClient::connect(&home).await.unwrap(), ControlClient::connect(&home).await.unwrap());
    let target = silent.info().await.unwrap().address;
    let asked = asks.begin(&target, content("", None), TIME, &[]).await.unwrap();
    let incoming = silent.incoming().await.unwrap();
    task.abort();
    assert!(matches!(asked.response().await, Err(ControlError::Ended)));
    incoming.respond("too late").await;
    assert!(silent.incoming().await.is_none());
    assert!(matches!(asks.info().await, Err(ControlError::Ended)));
    assert!(!home.control_path().exists());
    node.shutdown().await;
}

#[tokio::test]
async fn a_client_that_speaks_another_version_or_nonsense_is_let_go() {
    use super::protocol::{Codec, Frame, FromNode, ToNode};
    use futures::{SinkExt as _, StreamExt as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (_folder, home) = home();
    let node = Node::start(&home, NodeOptions::default()).await.unwrap();

    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(super::serve_stream(node.clone(), theirs));
    let mut stream = tokio_util::codec::Framed::new(ours, Codec::<FromNode>::default());
    stream.send(Frame::head(ToNode::Hello { protocol: 0 })).await.unwrap();
    let hello = stream.next().await.unwrap().unwrap().head;
    assert!(matches!(hello, FromNode::Hello { .. }));
    assert!(stream.next().await.is_none());
    served.await.unwrap().unwrap();

    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(super::serve_stream(node.clone(), theirs));
    ours.write_all(&[0xff; 64]).await.unwrap();
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).await.unwrap();
    assert!(served.await.unwrap().is_err());
    node.shutdown().await;
}
