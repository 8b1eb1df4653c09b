use super::*;

struct Home {
    folder: tempfile::TempDir,
    own: Identity,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), own: Identity::generate("alice").unwrap() }
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("peers.toml")
    }
    fn open(&self) -> Result<Peers, PeersError> {
        Peers::open(&self.path(), &self.own)
    }
}

fn ticket(name: &str, seed: u8, port: u16) -> Ticket {
    Ticket::new(name, "127.0.0.1", port, PublicKey::from([seed; 32])).unwrap()
}

fn allow(entries: &[(&str, &str)]) -> BTreeMap<String, Rights> {
    entries.iter().map(|(drive, rights)| ((*drive).into(), rights.parse().unwrap())).collect()
}

#[test]
fn what_was_added_is_there_after_reading_again_and_gone_after_removing() {
    let home = Home::new();
    let peers = home.open().unwrap();
    assert_eq!(peers.add(&ticket("bob", 1, 7000), None, Some(allow(&[("files", "list,read")]))).unwrap().peer.name, "bob");
    assert_eq!(peers.add(&ticket("bob", 2, 7001), Some("bob.2"), None).unwrap().peer.name, "bob.2");
    let again = home.open().unwrap();
    assert_eq!(again.list(), peers.list());
    assert_eq!(again.list().iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["bob", "bob.2"]);
    assert_eq!(again.by_key(&PublicKey::from([2; 32])).unwrap().name, "bob.2");
    assert_eq!(again.by_name("bob").unwrap().address.unwrap().to_string(), "127.0.0.1:7000");
    again.remove("bob").unwrap();
    assert!(matches!(again.remove("bob"), Err(PeersError::Unknown(_))));
    peers.reload().unwrap();
    assert!(peers.by_name("bob").is_none() && peers.by_name("bob.2").is_some());
    assert_eq!(std::fs::read_dir(home.folder.path()).unwrap().count(), 1);
}

#[test]
fn the_same_key_again_updates_and_another_key_under_the_name_is_refused() {
    let home = Home::new();
    let peers = home.open().unwrap();
    peers.add(&ticket("bob", 1, 7000), Some("robert"), None).unwrap();
    assert_eq!(peers.add(&ticket("bob", 1, 7009), None, Some(allow(&[("files", "read")]))).unwrap().peer.name, "robert");
    let peer = peers.by_name("robert").unwrap();
    assert_eq!((peer.address.unwrap().port(), peer.allow.len(), peers.list().len()), (7009, 1, 1));
    assert!(matches!(peers.add(&ticket("bob", 1, 7000), Some("bob"), None), Err(PeersError::KeyTaken(name)) if name == "robert"));
    let error = peers.add(&ticket("robert", 3, 7000), None, None).unwrap_err();
    assert!(matches!(error, PeersError::NameTaken { .. }) && error.to_string().contains("--name"), "{error}");
}

#[test]
fn this_node_is_not_its_own_peer() {
    let home = Home::new();
    let peers = home.open().unwrap();
    let own = Ticket::new("other", "127.0.0.1", 1, home.own.key()).unwrap();
    assert!(matches!(peers.add(&own, None, None), Err(PeersError::OwnTicket)));
    assert!(matches!(peers.add(&ticket("alice", 1, 1), None, None), Err(PeersError::OwnName(_))));
    assert!(matches!(peers.add(&ticket("bob", 1, 1), Some("../bob"), None), Err(PeersError::Name(_))));
    assert!(peers.list().is_empty() && !home.path().exists());
}

#[test]
fn a_right_is_given_only_where_it_is_written_and_the_full_name_goes_first() {
    let home = Home::new();
    let peers = home.open().unwrap();
    peers.add(&ticket("bob", 1, 1), None, Some(allow(&[("files", "list,read"), ("a:x/files", "list"), ("b:x/other", "write")]))).unwrap();
    let rights = |name: &str, package: &str, drive: &str| peers.rights(name, &package.parse().unwrap(), drive).to_string();
    assert_eq!(rights("bob", "c:x", "files"), "list,read");
    assert_eq!(rights("bob", "a:x", "files"), "list");
    assert_eq!(rights("bob", "a:x", "a:x/files"), "list");
    assert_eq!(rights("bob", "b:x", "other"), "write");
    assert_eq!(rights("bob", "a:x", "b:x/other"), "write");
    for (name, package, drive) in [
        ("carol", "c:x", "files"),
        ("bob", "c:x", "other"),
        ("bob", "b:y", "other"),
        ("bob", "a:x", "d:x/files"),
        ("bob", "a:x", ""),
        ("alice", "a:x", "files"),
    ] {
        assert_eq!(rights(name, package, drive), "none", "{name} {package} {drive}");
    }
    assert!(matches!(peers.add(&ticket("bob", 1, 1), None, Some(allow(&[("a/b/c", "read")]))), Err(PeersError::Drive(_))));
}

#[test]
fn a_file_that_can_not_be_understood_is_refused_and_changes_nothing() {
    let home = Home::new();
    let peers = home.open().unwrap();
    peers.add(&ticket("bob", 1, 1), None, None).unwrap();
    let key = PublicKey::from([1; 32]);
    for (text, wrong) in [
        (format!("[peer.bob]\nkey = \"{key}\"\nalow = {{}}"), "alow"),
        (format!("[peer.bob]\nkey = \"{key}\"\nallow = {{ files = [\"raed\"] }}"), "raed"),
        (format!("[peer.bob]\nkey = \"{key}\"\nallow = {{ \"a:b:c/d\" = [] }}"), "a:b:c/d"),
        (format!("[peer.bob]\nkey = \"{key}\"\naddress = \"nowhere\""), "port"),
        (format!("[peer.bob]\nkey = \"{key}\"\n[peer.carol]\nkey = \"{key}\""), "same key"),
        (format!("[peer.alice]\nkey = \"{key}\""), "itself"),
        (format!("[peer.bob]\nkey = \"{}\"", home.own.key()), "itself"),
        ("[peer.bob]\nkey = \"abc\"".into(), "too short"),
    ] {
        std::fs::write(home.path(), &text).unwrap();
        let error = peers.reload().unwrap_err().to_string();
        assert!(error.contains(wrong), "{text}\n{error}");
        assert!(home.open().is_err() && peers.add(&ticket("dave", 4, 1), None, None).is_err());
        assert_eq!(peers.list().len(), 1);
    }
}

#[test]
fn a_peer_that_is_added_again_keeps_its_rights_unless_others_are_given() {
    let home = Home::new();
    let peers = home.open().unwrap();
    let given = allow(&[("files", "list,read"), ("drafts", "write")]);
    assert!(!peers.add(&ticket("bob", 1, 7000), None, Some(given.clone())).unwrap().known);
    let again = peers.add(&ticket("bob", 1, 7001), None, None).unwrap();
    assert_eq!((again.known, &again.peer.allow, again.peer.address.unwrap().port()), (true, &given, 7001));
    let other = allow(&[("files", "write")]);
    assert_eq!(peers.add(&ticket("bob", 1, 7001), None, Some(other.clone())).unwrap().peer.allow, other);
    assert_eq!(home.open().unwrap().by_name("bob").unwrap().allow, other);
}

#[test]
fn rights_are_changed_drive_by_drive_and_taken_away() {
    let home = Home::new();
    let peers = home.open().unwrap();
    peers.add(&ticket("bob", 1, 7000), None, Some(allow(&[("files", "list,read"), ("drafts", "write")]))).unwrap();
    let package = "a:x".parse().unwrap();
    let rights = |drive: &str| peers.rights("bob", &package, drive).to_string();
    peers.allow("bob", &allow(&[("files", "write")])).unwrap();
    assert_eq!([rights("files"), rights("drafts")], ["write", "write"]);
    peers.allow("bob", &allow(&[("drafts", "none"), ("a:x/files", "none")])).unwrap();
    // What is said of one package goes before what is said of all, also if it is nothing.
    assert_eq!([rights("files"), rights("drafts")], ["none", "none"]);
    let kept = home.open().unwrap().by_name("bob").unwrap();
    assert_eq!((kept.allow.len(), kept.address.unwrap().port()), (2, 7000));
    assert!(matches!(peers.allow("carol", &allow(&[("files", "read")])), Err(PeersError::Unknown(_))));
    assert!(matches!(peers.allow("bob", &allow(&[("a/b/c", "read")])), Err(PeersError::Drive(_))));
}
