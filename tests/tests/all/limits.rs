//! How much a node does at once for another, and what it says when that is reached.

use serde_json::json;
use transship_tests::raw_peer::RawPeer;
use transship_tests::{Home, introduce};

/// Transfers that a node runs for one other.
const AT_ONCE: u128 = 256;

#[test]
fn a_node_runs_256_transfers_for_another_at_once_and_is_busy_for_its_next_but_not_for_others() {
    let (alice, bob, mallory) = (Home::new("alice"), Home::new("bob"), Home::new("mallory"));
    let bob_serves = bob.serve();
    for home in [&alice, &mallory] {
        introduce((home, None, ""), (&bob, Some(&bob_serves), "list,read"));
    }
    std::fs::write(bob.file("file"), "content").unwrap();
    // Nobody is there to whom mallory lets bob send the file, so nothing ends.
    let (mut link, _) = RawPeer::greet(&mallory, bob_serves.address());
    let target = json!({"node": "mallory", "process": {"process-name": "transfer-1", "package-name": "file-transfer", "publisher-node": "transship"}});
    let download = json!({"download": {"name": "file", "target": target, "is-requestor": false, "local": null, "slot": null, "options": null}});
    for number in 0..=AT_ONCE {
        let answer = link.ask_json("manager:file-transfer:transship", number, &download);
        link.took_all();
        if number < AT_ONCE {
            assert!(answer["download"]["ok"].is_object(), "{number}: {answer}");
        } else {
            let said = answer["download"]["err"]["busy"].as_str().unwrap_or_else(|| panic!("{answer}"));
            assert!(said.contains("bob runs 256 transfers for mallory"), "{said}");
        }
    }
    assert_eq!(bob.workers().len() as u128, AT_ONCE);
    assert_eq!(alice.run(["get", "bob:file", "-"]).ok().stdout, "content");
}
