//! Who may do what: this node's processes everything, another node what its peer entry says and nothing else.

use file_transfer_types::types::TransferError;
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::peers;
use transship_guest::drive::Rights;

/// The drive that is served.
pub(crate) const DRIVE: &str = "files";

/// Fails unless the node of `source` has these rights to the drive.
pub(crate) fn check(our: &Address, source: &Address, needs: Rights) -> Result<(), TransferError> {
    if has(our, &source.node, needs) {
        return Ok(());
    }
    Err(TransferError::Denied(refusal(&our.node, &source.node, needs, peers::rights_of(&source.node, DRIVE))))
}

/// Whether a node has these rights to the drive.
pub(crate) fn has(our: &Address, node: &str, needs: Rights) -> bool {
    node == our.node || peers::rights_of(node, DRIVE).contains(needs)
}

/// Fails unless the request comes from this node: nobody else commands it.
pub(crate) fn check_local(our: &Address, source: &Address) -> Result<(), TransferError> {
    if source.node == our.node { Ok(()) } else { Err(TransferError::Denied(format!("{} takes commands of its own processes and its owner only", our.node))) }
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
    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing_and_what_to_run_for_it() {
        let text = refusal("bob", "alice", Rights::LIST | Rights::READ, Rights::LIST);
        assert!(text.contains("bob does not allow alice to read in its drive files"), "{text}");
        assert!(text.contains("transship peer allow alice files=list,read"), "{text}");
    }

    #[test]
    fn a_process_of_this_node_may_do_everything() {
        let our: Address = "bob@manager:file-transfer:transship".parse().unwrap();
        let other: Address = "bob@main:x:y".parse().unwrap();
        assert_eq!(check(&our, &other, Rights::all()), Ok(()));
        assert_eq!(check_local(&our, &other), Ok(()));
        assert!(check_local(&our, &"alice@main:x:y".parse().unwrap()).is_err());
    }
}
