//! What the command says, word for word: its help, its results and its errors. A snapshot that changes is a decision to look at (`cargo insta review`).

use std::process::Command;

use serde_json::Value;
use transship_tests::{Home, Outcome, introduce, pair, random_file, transship};

/// Snapshots without what differs from run to run: folders, keys, ports, times and rates.
fn settings(homes: &[&Home]) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for home in homes {
        let folder = home.path().canonicalize().unwrap();
        settings.add_filter(&folder.display().to_string().replace('.', r"\."), format!("[{}]", home.name().to_uppercase()));
    }
    settings.add_filter(r"\b[a-z2-7]{52}\b", "[KEY]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]");
    settings.add_filter(r"in \d+(\.\d+)? s \(\d+(\.\d+)? (B|[KMG]iB)/s\)", "in [SECONDS] ([RATE])");
    // How often there is time for a line of progress, the machine decides.
    settings.add_filter(r"(?m)^! .*: \d+% \(.*\n", "");
    settings.add_filter(r"(?m)^transship \d+\.\d+\.\d+$", "transship [VERSION]");
    settings
}

/// Everything that a command said.
fn transcript(home: &Home, arguments: &[&str]) -> String {
    show(arguments, &home.run(arguments))
}

fn show(arguments: &[&str], outcome: &Outcome) -> String {
    let mut text = format!("$ transship {}\n{}", arguments.join(" "), outcome.stdout);
    for line in outcome.stderr.lines() {
        text.push_str(&format!("! {line}\n"));
    }
    text.push_str(&format!("exit code {}\n", outcome.code.unwrap()));
    text
}

fn transcripts(home: &Home, commands: &[&[&str]]) -> String {
    commands.iter().map(|arguments| transcript(home, arguments)).collect::<Vec<_>>().join("\n")
}

/// The command's help, as it is shown outside of a terminal and without a home.
fn help(path: &[String]) -> String {
    let mut command = Command::new(transship());
    command.args(path).arg("--help").env_clear();
    let outcome = Outcome::of(&mut command, b"").ok();
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

/// The commands that the help of `path` lists, and those below them.
fn commands(path: &[String]) -> Vec<Vec<String>> {
    let help = help(path);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let mut found = Vec::new();
    for name in names.filter(|name| *name != "help") {
        let path = [path, &[name.to_owned()]].concat();
        let below = commands(&path);
        found.push(path);
        found.extend(below);
    }
    found
}

#[test]
fn the_help_of_every_command_is_as_it_was_decided() {
    let all = commands(&[]);
    let names: Vec<String> = all.iter().map(|path| path.join(" ")).collect();
    for name in ["init", "id", "serve", "ticket", "peer add", "peer list", "peer remove", "list", "get", "put", "cancel", "ps", "log", "message"] {
        assert!(names.iter().any(|known| known == name), "`transship {name}` is not in the help: {names:?}");
    }
    settings(&[]).bind(|| {
        insta::assert_snapshot!("help", help(&[]));
        for path in &all {
            insta::assert_snapshot!(format!("help_{}", path.join("_")), help(path));
        }
    });
}

#[test]
fn every_command_has_an_example_that_names_it_and_the_parts_of_it_have_one_too() {
    for path in commands(&[]) {
        let help = help(&path);
        let whole = format!("  transship {}", path.join(" "));
        let has_own_commands = help.contains("\nCommands:\n");
        assert!(
            has_own_commands || help.lines().any(|line| line.contains(whole.trim_start()) && !line.starts_with("Usage")),
            "no example in the help of {path:?}"
        );
        assert!(help.contains("Usage: transship "), "{help}");
        // The short help is the beginning of the long one, so that `-h` is no surprise.
        let mut command = Command::new(transship());
        let short = Outcome::of(command.args(&path).arg("-h").env_clear(), b"").ok().stdout;
        assert_eq!(short.lines().next().map(|line| line.trim_end_matches('.')), help.lines().next().map(|line| line.trim_end_matches('.')), "{path:?}");
    }
}

#[test]
fn without_a_command_the_help_is_shown_and_the_version_is_one_line() {
    let run = |arguments: &[&str]| Outcome::of(Command::new(transship()).args(arguments).env_clear(), b"");
    let outcome = run(&[]).code(2);
    assert!(outcome.stderr.contains("First steps") && outcome.stdout.is_empty(), "{}", outcome.stderr);
    settings(&[]).bind(|| insta::assert_snapshot!(run(&["--version"]).ok().stdout, @"transship [VERSION]"));
}

#[test]
fn a_node_says_who_it_is_and_whom_it_knows() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let folder = alice.scratch().join("new");
    let folder = folder.to_str().unwrap();
    let mut text = transcripts(
        &alice,
        &[
            &["--home", folder, "init", "--name", "carol"],
            &["--home", folder, "init", "--name", "dave", "--quiet"],
            &["id"],
            &["--json", "id"],
            &["ticket", "--host", "192.0.2.7"],
            &["peer", "list"],
        ],
    );
    let ticket = bob.run(["ticket", "--host", "192.0.2.8"]).ok().stdout;
    let ticket = ticket.trim();
    for arguments in [
        &["peer", "add", ticket][..],
        &["peer", "add", ticket, "--allow", "files=list,read", "--allow", "drafts:someone/files=write"],
        &["peer", "list"],
        &["--json", "peer", "list"],
        &["peer", "remove", "bob"],
        &["peer", "remove", "bob"],
    ] {
        text.push('\n');
        text.push_str(&transcript(&alice, arguments));
    }
    settings(&[&alice, &bob]).bind(|| insta::assert_snapshot!("identity_and_peers", text));
}

#[test]
fn a_listing_is_columns_for_people_and_objects_for_programs() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    let empty = transcripts(&alice, &[&["list"], &["list", "bob"], &["--json", "list", "bob"], &["list", "bob", "--prefix", "a/"]]);
    std::fs::create_dir_all(bob.file("photos/2026")).unwrap();
    for (name, content) in [
        ("a;b.txt", "x"),
        ("empty", ""),
        ("photos/2026/sea é.jpg", "the sea"),
        ("new\nline", "hidden by its name"),
        (".hidden", "a name like any other"),
        (".transship-x.part", "the node's own"),
    ] {
        std::fs::write(bob.file(name), content).unwrap();
    }
    let full = transcripts(
        &alice,
        &[&["list", "bob"], &["list", "bob", "--prefix", "photos/", "--digest", "sha256"], &["list", "bob", "--prefix", "empty", "--digest", "md5"]],
    );
    settings(&[&alice, &bob]).bind(|| insta::assert_snapshot!("listings", format!("{empty}\n{full}")));

    let objects = alice.run(["--json", "list", "bob", "--digest", "md5"]).ok().json();
    for object in &objects {
        let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "modified", "name", "size"]);
        assert!(object["modified"].as_i64() > Some(1_500_000_000_000_000_000), "nanoseconds: {object}");
    }
    // RFC 1321, appendix A.5: the digest of nothing.
    let empty = objects.iter().find(|object| object["name"] == "empty").unwrap();
    assert_eq!(empty["id"], "d41d8cd98f00b204e9800998ecf8427e");
}

#[test]
fn a_transfer_ends_with_a_line_of_what_is_where() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    std::fs::write(bob.file("report.txt"), "the report").unwrap();
    std::fs::write(alice.scratch().join("photo.jpg"), "the photo").unwrap();
    let text = transcripts(
        &alice,
        &[
            &["get", "bob:report.txt"],
            &["get", "bob:report.txt", "--on-conflict", "rename"],
            &["get", "bob:report.txt", "--on-conflict", "skip"],
            &["get", "bob:report.txt", "-"],
            &["put", "photo.jpg", "bob:"],
            &["put", "photo.jpg", "bob:holidays/", "--digest", "blake3"],
            &["put", "photo.jpg", "bob:holidays/", "--quiet", "--on-conflict", "overwrite"],
            &["transfers"],
        ],
    );
    settings(&[&alice, &bob]).bind(|| insta::assert_snapshot!("transfers", text));
}

#[test]
fn errors_say_what_happened_to_what_and_what_to_do_next() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    let carol = Home::new("carol");
    introduce((&alice, None, ""), (&carol, None, ""));
    let stranger = Home::new("dave");
    let reader = Home::new("erin");
    introduce((&reader, None, ""), (&bob, Some(&_bob), ""));
    introduce((&stranger, None, ""), (&bob, Some(&_bob), ""));
    bob.run(["peer", "remove", "dave"]).ok();
    std::fs::create_dir(bob.file("folder")).unwrap();
    std::fs::write(bob.file("taken"), "old").unwrap();
    std::fs::write(alice.scratch().join("taken"), "new").unwrap();
    let mut text = transcripts(
        &alice,
        &[
            &["list", "nobody"],
            &["list", "carol"],
            &["get", "carol:x"],
            &["get", "bob:missing"],
            &["get", "bob:folder"],
            &["get", "bob:../identity.key"],
            &["get", "bob:taken"],
            &["get", "bob:taken", "missing/"],
            &["get", "bob"],
            &["put", "missing", "bob:"],
            &["put", "taken", "bob:"],
            &["put", "-", "bob:"],
            &["init", "--name", "alice"],
            &["cancel", "1234"],
            &["kill", "nobody:puppet:test"],
            &["message", "manager:file-transfer:transship", "no json"],
            &["peer", "add", "bob@192.0.2.7"],
        ],
    );
    for home in [&stranger, &reader] {
        text.push_str(&format!("\n{} {}", home.name(), transcript(home, &["list", "bob"])));
        text.push_str(&format!("\n{} {}", home.name(), transcript(home, &["get", "bob:taken"])));
    }
    settings(&[&alice, &bob, &stranger, &reader]).bind(|| insta::assert_snapshot!("errors", text));
}

#[test]
fn usage_errors_end_with_2_and_say_how_it_is_meant() {
    let alice = Home::new("alice");
    for arguments in [
        &["nonsense"][..],
        &["get"],
        &["get", "bob"],
        &["get", "Bob:x"],
        &["get", ":x"],
        &["get", "bob:x", "a", "b"],
        &["get", "bob:x", "--streams", "0"],
        &["get", "bob:x", "--streams", "256"],
        &["get", "bob:x", "--chunk-size", "0"],
        &["get", "bob:x", "--chunk-size", "17M"],
        &["get", "bob:x", "--window", "0"],
        &["get", "bob:x", "--on-conflict", "guess"],
        &["get", "bob:x", "--digest", "md5"],
        &["get", "bob:x", "--timeout", "soon"],
        &["get", "--nonsense", "bob:x"],
        &["put", "x"],
        &["put", "x", "bob"],
        &["list", "a", "b"],
        &["list", "--digest", "crc32"],
        &["init"],
        &["peer"],
        &["peer", "add"],
        &["peer", "nonsense"],
        &["serve", "--listen", "somewhere"],
        &["serve", "--listen", "127.0.0.1:65536"],
        &["cancel"],
        &["kill", "not-a-process"],
        &["message", "a:b:c"],
        &["log", "--level", "loud"],
        &["log", "-n", "-1"],
        &["list", "--quiet", "--verbose"],
    ] {
        let outcome = alice.run(arguments).code(2);
        assert!(outcome.stdout.is_empty(), "{arguments:?}: {}", outcome.stdout);
        assert!(outcome.stderr.contains("Usage: ") || outcome.stderr.contains("error: "), "{arguments:?}: {}", outcome.stderr);
    }
    // These are wrong only once the command looks closer.
    for arguments in
        [&["--json", "get", "bob:x", "-"][..], &["put", "-", "bob:"], &["message", "a:b:c", "no json"], &["get", "bob:.."], &["get", "--id", "bob:short"]]
    {
        alice.run(arguments).code(2).says("error: ");
    }
}

/// The places where standard output has a line that is no object.
fn not_objects(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object())).collect()
}

#[test]
fn with_json_every_line_is_an_object() {
    let ((alice, _alice), (bob, _bob)) = pair("list,read,write", "list,read,write");
    random_file(&bob.file("x"), 3 << 20);
    std::fs::write(bob.file("y\" \\ z"), "content").unwrap();
    for arguments in [
        &["id"][..],
        &["ticket", "--host", "127.0.0.1"],
        &["peer", "list"],
        &["list"],
        &["list", "bob"],
        &["get", "bob:x"],
        &["get", "bob:x"],
        &["get", "bob:y\" \\ z"],
        &["put", "x", "bob:in/x"],
        &["put", "x", "bob:in/x", "--on-conflict", "skip"],
        &["transfers"],
        &["ps"],
        &["log", "-n", "50"],
        &["message", "manager:file-transfer:transship", "\"list-files\""],
        &["cancel", "x"],
        &["peer", "remove", "nobody"],
        &["peer", "remove", "bob"],
    ] {
        let outcome = alice.run([&["--json"], arguments].concat());
        assert_eq!(not_objects(&outcome.stdout), Vec::<&str>::new(), "{arguments:?}");
        assert!(!outcome.stdout.is_empty() || ["transfers", "list"].contains(&arguments[0]), "{arguments:?} says nothing");
    }
    let outcome = alice.run_with_input(["--json", "put", "-", "bob:stdin"], b"content");
    assert_eq!(not_objects(&outcome.stdout), Vec::<&str>::new());
}

#[test]
fn quiet_says_nothing_but_errors() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    random_file(&bob.file("x"), 1 << 20);
    for arguments in [&["get", "bob:x"][..], &["put", "x", "bob:y"], &["get", "bob:x", "--on-conflict", "skip"], &["get", "bob:x", "--on-conflict", "rename"]] {
        let outcome = alice.run([&["--quiet"], arguments].concat()).ok();
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""), "{arguments:?}");
    }
    // What was asked for is no noise.
    assert!(!alice.run(["-q", "list", "bob"]).ok().stdout.is_empty());
    assert!(alice.run(["-q", "get", "bob:x"]).code(7).stdout.is_empty());
    alice.run(["-q", "get", "bob:x"]).code(7).says("error: ").says("hint: ");
    let outcome = alice.run(["-q", "get", "bob:x", "-"]).ok();
    assert_eq!((outcome.bytes.len(), outcome.stderr.as_str()), (1 << 20, ""));
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let ((alice, alice_serves), (bob, bob_serves)) = pair("", "list,read,write");
    let (carol, dave) = (Home::new("carol"), Home::new("dave"));
    introduce((&carol, None, ""), (&bob, Some(&bob_serves), ""));
    introduce((&alice, None, ""), (&dave, None, ""));
    std::fs::write(bob.file("x"), "content").unwrap();
    std::fs::create_dir(bob.file("folder")).unwrap();
    let code = |home: &Home, arguments: &[&str]| home.run(arguments).code;
    let table = [
        ("done", code(&alice, &["get", "bob:x"]), 0),
        ("other", code(&alice, &["get", "bob:folder"]), 1),
        ("usage", code(&alice, &["get"]), 2),
        ("not found", code(&alice, &["get", "bob:missing"]), 3),
        ("denied", code(&carol, &["get", "bob:x"]), 4),
        ("network", code(&alice, &["get", "dave:y"]), 5),
        ("conflict", code(&alice, &["get", "bob:x"]), 7),
    ];
    for (kind, found, expected) in table {
        assert_eq!(found, Some(expected), "{kind}");
    }
    // 6 and 8 have tests of their own, with disks that flip bits or are full, and so has 130: see `resume`.
    drop((alice_serves, bob_serves));
}
