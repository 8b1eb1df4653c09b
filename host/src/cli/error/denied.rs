//! Who refused something, and what can be done about it.
//!
//! `denied` comes from several quarters that a program need not tell apart, and a person must: the other node does not know us or does not allow it, it is not the node that we know, a file system
//! refuses, or a link leads out of a drive. Which one it is only the words say. They are those of the node (its links and drives) and of the package (its rights); what no words are known of gets the
//! words and no advice. `tests/tests/all/command_denied.rs` makes each of them happen.

use std::path::Path;

/// The way of a file between this machine and another node.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    /// The other node.
    pub(crate) node: &'a str,
    /// What the file is called there.
    pub(crate) name: &'a str,
    /// Where it is here, or will be.
    pub(crate) folder: &'a Path,
    /// It comes here.
    pub(crate) receiving: bool,
}

/// What happened, and what to do about it. `node` is the other one.
pub(super) fn explain(text: &str, node: &str, way: Option<&Way<'_>>) -> (String, String) {
    let (message, hint) = if text.contains("its key is") && text.contains("expected") {
        (
            text.into(),
            format!(
                "if {node} has been made anew, `transship peer remove {node}` and then `transship peer add` its new ticket; if not, somebody else answers at its address"
            ),
        )
    } else if text.contains("does not know this node") {
        (text.into(), format!("nodes have to know each other: {node}'s owner runs `transship peer add TICKET --allow files=list,read` there, with our ticket"))
    } else if text.contains(" does not allow ") {
        (text.into(), format!("`transship peer allow` is for {node}'s owner; once it is allowed, run the same command again"))
    } else if text.contains("is a symbolic link") {
        (text.into(), "what a link leads to is not in the drive: name a path without links".into())
    } else if let Some(words) = of_file_system(text) {
        by_file_system(text, words, node, way)
    } else {
        (text.into(), "`transship log` on either node may say more".into())
    };
    (message, hint)
}

/// What the system said, if it was the system.
fn of_file_system(text: &str) -> Option<&str> {
    let words = text.rsplit(": ").next()?;
    matches!(words, "permission denied" | "read-only file system" | "operation not permitted").then_some(words)
}

fn by_file_system(text: &str, words: &str, node: &str, way: Option<&Way<'_>>) -> (String, String) {
    let there = |doing: &str, name: &str| {
        let message = format!("{node} may not {doing} '{name}' in its own folders: {words}");
        (message, format!("{node}'s owner can change that, where its files are; what it allows to us does not matter here"))
    };
    match way {
        None => there("use", text.strip_suffix(words).and_then(|name| name.strip_suffix(": ")).unwrap_or(text)),
        Some(way) if !way.receiving => there("write", way.name),
        // In a folder there; here there is one name, without folders.
        Some(way) if way.name.contains('/') && text.starts_with(way.name) => there("read", way.name),
        Some(way) => {
            let message = format!("the node of this machine may not write to {}: {words}", way.folder.display());
            (message, "choose another folder, or change who may write to this one".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_for_whoever_can_do_something() {
        let way = |receiving| Way { node: "bob", name: "in/x", folder: Path::new("/here"), receiving };
        let cases = [
            (explain("in/x: permission denied", "bob", Some(&way(true))), "bob may not read 'in/x'", "bob's owner"),
            (explain(".transship-1.partial: read-only file system", "bob", Some(&way(true))), "may not write to /here: read-only", "another folder"),
            (explain("in/.transship-1.partial: permission denied", "bob", Some(&way(false))), "bob may not write 'in/x'", "bob's owner"),
            (explain("in/.transship-store-1: permission denied", "bob", None), "bob may not use 'in/.transship-store-1'", "bob's owner"),
            (explain("'in' is a symbolic link, and links are not followed", "bob", Some(&way(true))), "symbolic link", "without links"),
            (explain("bob does not allow alice to read in its drive files", "bob", Some(&way(true))), "allow alice", "same command again"),
            (explain("something else", "bob", Some(&way(true))), "something else", "transship log"),
        ];
        for ((message, hint), says, advises) in cases {
            assert!(message.contains(says) && hint.contains(advises), "{message}\n{hint}");
        }
    }
}
