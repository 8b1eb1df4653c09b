//! Who may do what: the owner of this node everything, another node what its peer entry says and nothing else.
//!
//! The manager is public, since other nodes send to it; so what a process of another package of this node may do is asked here too: everything, if it shows that the owner granted it the capability `messaging` for this
//! manager (by lending it with the request), and nothing otherwise. Else every package, whatever it was granted, could do with the drive and the network what the manager can.

use file_transfer_types::types::TransferError;
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::peers;
use transship_guest::drive::Rights;
use transship_guest::message::{Capability, CapabilityKind, ReceivedRequest};

/// The drive that is served.
pub(crate) const DRIVE: &str = "files";

/// The package under whose name the node's owner speaks: the node lets nobody else have it.
const OWNER: (&str, &str) = ("command", "transship");

/// Fails unless whoever sent a request has these rights to the drive.
pub(crate) fn check(our: &Address, received: &ReceivedRequest, needs: Rights) -> Result<(), TransferError> {
    let node = &received.source.node;
    if *node == our.node {
        return check_local(our, received);
    }
    if has(our, node, needs) {
        return Ok(());
    }
    Err(TransferError::Denied(refusal(&our.node, node, needs, peers::rights_of(node, DRIVE))))
}

/// Whether a node has these rights to the drive.
pub(crate) fn has(our: &Address, node: &str, needs: Rights) -> bool {
    node == our.node || peers::rights_of(node, DRIVE).contains(needs)
}

/// Fails unless the request comes from this node's owner, or from a process that the owner lets command: nobody else does.
pub(crate) fn check_local(our: &Address, received: &ReceivedRequest) -> Result<(), TransferError> {
    let granted = |capability: &Capability| capability.valid() && matches!(capability.kind(), CapabilityKind::Messaging(process) if process == our.process);
    if received.source.node != our.node {
        return Err(TransferError::Denied(format!("{} takes commands of its own processes and its owner only", our.node)));
    }
    if is_owners(our, &received.source) || received.request.capabilities.iter().any(granted) {
        return Ok(());
    }
    Err(TransferError::Denied(format!(
        "{} lends no capability 'messaging' for {} with its request: package.toml asks for it with messaging = [\"{}\"]",
        received.source.process, our.process, our.process
    )))
}

fn is_owners(our: &Address, source: &Address) -> bool {
    let package = (source.process.package_name.as_str(), source.process.publisher_node.as_str());
    package == OWNER || package == (our.process.package_name.as_str(), our.process.publisher_node.as_str())
}

/// Fails if a node is neither this one nor a peer, so that the asker hears it at once.
pub(crate) fn check_known(our: &Address, node: &str) -> Result<(), TransferError> {
    let known = node == our.node || peers::list().iter().any(|peer| peer.name == node);
    if known { Ok(()) } else { Err(TransferError::UnknownNode(node.chars().take(80).collect())) }
}

fn refusal(our: &str, node: &str, needs: Rights, has: Rights) -> String {
    let all = words(needs | has);
    format!(
        "{our} does not allow {node} to {} in its drive {DRIVE}: ask {our}'s owner to run: transship peer allow {node} {DRIVE}={all}",
        words(needs - has).replace(',', " and "),
    )
}

fn words(rights: Rights) -> String {
    let named = [(Rights::LIST, "list"), (Rights::READ, "read"), (Rights::WRITE, "write")];
    named.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use transship_guest::bindings::transship::host::messaging::Request;

    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing_and_what_to_run_for_it() {
        let text = refusal("bob", "alice", Rights::LIST | Rights::READ, Rights::LIST);
        assert!(text.contains("bob does not allow alice to read in its drive files"), "{text}");
        assert!(text.contains("transship peer allow alice files=list,read"), "{text}");
    }

    #[test]
    fn the_owner_and_this_package_may_do_everything_and_other_packages_of_this_node_nothing_by_themselves() {
        let our: Address = "bob@manager:file-transfer:transship".parse().unwrap();
        let request = || Request { inherit: false, expects_response: None, body: Vec::new(), metadata: None, blob: None, capabilities: Vec::new() };
        let received = |source: &str| ReceivedRequest { source: source.parse().unwrap(), request: request() };
        for source in ["bob@client-1:command:transship", "bob@transfer-1:file-transfer:transship"] {
            assert_eq!(check(&our, &received(source), Rights::all()), Ok(()), "{source}");
            assert_eq!(check_local(&our, &received(source)), Ok(()), "{source}");
        }
        for source in ["bob@main:x:y", "bob@manager:file-transfer:y", "bob@manager:command:y"] {
            assert!(matches!(check(&our, &received(source), Rights::LIST), Err(TransferError::Denied(why)) if why.contains("messaging = [")), "{source}");
            assert!(check_local(&our, &received(source)).is_err(), "{source}");
        }
        assert!(check_local(&our, &received("alice@client-1:command:transship")).is_err(), "the owner of another node");
    }
}
