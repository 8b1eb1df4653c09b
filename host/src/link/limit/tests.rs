use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn limits(node: Option<u64>, peer: Option<u64>) -> Arc<Limits> {
    let limits = Limits::default();
    limits.set_node(node);
    limits.set_peer("bob", peer);
    Arc::new(limits)
}

/// Writes `count` times 100,000 bytes to a peer whose connection takes everything at once; returns the seconds.
async fn write(limits: &Limits, peer: &str, count: u32) -> f64 {
    let begun = Instant::now();
    let mut stream = Limited::new(tokio::io::sink(), &limits.of(peer));
    for _ in 0..count {
        stream.write_all(&[7; 100_000]).await.unwrap();
    }
    begun.elapsed().as_secs_f64()
}

fn about(seconds: f64, wanted: f64) {
    assert!((seconds - wanted).abs() < 0.02 * wanted + 0.08, "{seconds} s and not {wanted}");
}

#[tokio::test(start_paused = true)]
async fn as_much_moves_as_the_limit_says() {
    for rate in [LEAST, 100_000, 1_000_000, 30_000_000, 1_000_000_000] {
        let count = u32::try_from(rate / 10_000 + 1).unwrap();
        about(write(&limits(None, Some(rate)), "bob", count).await, f64::from(count) * 100_000.0 / rate as f64);
    }
    assert!(write(&limits(None, None), "bob", 1000).await < 0.001);
}

#[tokio::test(start_paused = true)]
async fn the_lower_limit_counts_and_the_nodes_is_shared() {
    about(write(&limits(Some(1_000_000), Some(500_000)), "bob", 50).await, 10.0);
    about(write(&limits(Some(500_000), Some(1_000_000)), "bob", 50).await, 10.0);
    let limits = limits(Some(1_000_000), None);
    let (one, other) = tokio::join!(write(&limits, "bob", 50), write(&limits, "carol", 50));
    about(one, 10.0);
    about(other, 10.0);
}

#[tokio::test(start_paused = true)]
async fn connections_of_a_peer_share_its_limit_evenly() {
    let limits = limits(None, Some(1_000_000));
    let all = futures::future::join_all((0..10).map(|_| write(&limits, "bob", 10))).await;
    assert!(all.iter().all(|seconds| (9.0..=10.1).contains(seconds)), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_moves_in_bursts() {
    let ways = limits(None, Some(1_000_000)).of("bob");
    let mut stream = Limited::new(tokio::io::sink(), &ways);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let begun = Instant::now();
    let mut moved = 0.0;
    while moved < 2e6 {
        moved += stream.write(&[0; 1 << 20]).await.unwrap() as f64;
        assert!(moved <= (begun.elapsed().as_secs_f64() + 0.1) * 1e6, "{moved} bytes after {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_is_limited_too() {
    let ways = limits(None, Some(100_000)).of("bob");
    let begun = Instant::now();
    let mut read = Vec::new();
    Limited::new(tokio::io::repeat(9).take(1_000_000), &ways).read_to_end(&mut read).await.unwrap();
    assert!(read.len() == 1_000_000 && read.iter().all(|&byte| byte == 9));
    about(begun.elapsed().as_secs_f64(), 10.0);
}

#[tokio::test(start_paused = true)]
async fn a_change_holds_for_streams_that_exist() {
    let limits = limits(None, None);
    let mut stream = Limited::new(tokio::io::sink(), &limits.of("bob"));
    for (node, peer, bytes, seconds) in
        [(None, Some(100_000), 200_000, 2.0), (None, Some(1_000_000), 2_000_000, 2.0), (None, None, 20_000_000, 0.0), (Some(1_000_000), None, 2_000_000, 2.0)]
    {
        limits.set_node(node);
        limits.set_peer("bob", peer);
        let begun = Instant::now();
        stream.write_all(&vec![0; bytes]).await.unwrap();
        about(begun.elapsed().as_secs_f64(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_link_moves_is_paid_before_lanes_move_more() {
    let limits = limits(None, Some(100_000));
    let ways = limits.of("bob");
    assert!(ways.sent.is_paid());
    ways.sent.charge(300_000);
    assert!(!ways.sent.is_paid() && ways.received.is_paid());
    let begun = Instant::now();
    ways.sent.paid(Duration::from_secs(1)).await;
    about(begun.elapsed().as_secs_f64(), 1.0);
    ways.sent.paid(Duration::from_secs(60)).await;
    about(begun.elapsed().as_secs_f64(), 3.0);
    about(write(&limits, "bob", 10).await, 10.0);
}

#[tokio::test(start_paused = true)]
async fn whole_and_in_order_through_a_narrow_stream() {
    let (near, far) = tokio::io::duplex(10_000);
    let ways = limits(None, Some(200_000)).of("bob");
    let sent: Vec<u8> = (0..400_000_u32).map(|number| number as u8).collect();
    let (mut near, mut far) = (Limited::new(near, &ways), Limited::new(far, &ways));
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        crate::link::frame::write_both(&mut near, &copy[..5], &copy[5..]).await.unwrap();
        near.shutdown().await.unwrap();
    });
    let mut read = Vec::new();
    far.read_to_end(&mut read).await.unwrap();
    writer.await.unwrap();
    assert!(read == sent);
}
