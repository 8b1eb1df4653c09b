//! A node that is attacked: bob, whom alice may ask for files, and who knows mallory.

use crate::package::install_puppet;
use crate::raw_peer::RawPeer;
use crate::{Home, Serving, differ, eventually, introduce, random_file};

/// See the module.
pub struct Siege {
    /// Who is to be served.
    pub alice: Home,
    /// Who is attacked. He has a puppet.
    pub bob: Home,
    /// Who attacks: her node does not run, unless a test starts it.
    pub mallory: Home,
    /// Bob's node.
    pub bob_serves: Serving,
    _alice_serves: Serving,
}

impl Siege {
    /// With what mallory may do with bob's files.
    pub fn lay(mallory_may: &str) -> Self {
        let (alice, bob, mallory) = (Home::new("alice"), Home::new("bob"), Home::new("mallory"));
        install_puppet(&bob);
        let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
        introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
        let ticket = mallory.run(["ticket", "--host", "127.0.0.1"]).ok().stdout;
        let allow = format!("files={mallory_may}");
        let rights: &[&str] = if mallory_may.is_empty() { &[] } else { &["--allow", &allow] };
        bob.run([&["peer", "add", ticket.trim()], rights].concat()).ok();
        Self { alice, bob, mallory, bob_serves, _alice_serves: alice_serves }
    }

    /// A link of mallory's to bob, greeted.
    pub fn link(&self) -> RawPeer {
        RawPeer::greet(&self.mallory, self.bob_serves.address()).0
    }

    /// Alice gets a file from bob, over lanes.
    ///
    /// # Panics
    /// If she does not.
    #[track_caller]
    pub fn alice_is_served(&self) {
        let source = self.bob.file("for-alice");
        if !source.exists() {
            random_file(&source, 5 << 20);
        }
        self.alice.run(["get", "bob:for-alice", "got", "--on-conflict", "overwrite"]).ok();
        assert_eq!(differ(&source, &self.alice.scratch().join("got")), None);
    }

    /// Waits until bob's log says something.
    ///
    /// # Panics
    /// If it does not.
    pub fn log_says(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), || self.bob.run(["log", "-n", "1000"]).ok().stdout.contains(text).then_some(()));
    }
}
