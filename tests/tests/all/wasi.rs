//! Components that were built as for any other system: what their language's library asks of it (WASI) is there, as far as a process may have it, and refused clearly where not.

use serde_json::{Value, json};
use transship_tests::guests::{COMPILING, javascript, python, visitor};
use transship_tests::{Home, Serving, eventually};

/// In Rust for two targets, and in Python.
const KINDS: [&str; 3] = ["wasm32-wasip1", "wasm32-wasip2", "python"];
const VISITOR: &str = "main:visitor:test";

/// A node with the visitor of each kind that this machine can build.
fn visited() -> Vec<(Home, Serving)> {
    KINDS.iter().filter_map(|kind| visited_by(kind, "")).collect()
}

fn visited_by(kind: &str, settings: &str) -> Option<(Home, Serving)> {
    let home = Home::new("alice").compiling_quickly();
    home.configure(settings);
    match kind {
        "python" => python("tests/visitor/python")?.install(&home),
        "javascript" => javascript("tests/visitor/javascript")?.install(&home),
        target => drop(home.run(["package", "install", visitor(target)?.to_str().unwrap(), "--grant"]).ok()),
    }
    // One thread: whatever held it up would hold up all.
    let serving = home.serve_within(&["env", "TOKIO_WORKER_THREADS=1"], "127.0.0.1:0", COMPILING);
    // It answers once it is compiled.
    let target = format!("alice@{VISITOR}");
    home.run(["message", &target, r#"["clock",0]"#, "--timeout", &format!("{}s", COMPILING.as_secs())]).ok();
    Some((home, serving))
}

#[track_caller]
fn ask(home: &Home, what: &str, argument: impl Into<Value>) -> Value {
    home.message(&format!("alice@{VISITOR}"), &json!([what, argument.into()]))
}

/// What the visitor has in the log: level and text.
fn log(home: &Home) -> Vec<(String, String)> {
    let lines = home.run(["--json", "log", "-n", "1000"]).ok().json();
    let own = lines.into_iter().filter(|line| line["process"] == VISITOR);
    own.map(|line| (line["level"].as_str().unwrap().into(), line["message"].as_str().unwrap().into())).collect()
}

fn logged(home: &Home, level: &str, text: &str) {
    eventually(&format!("the log says {text:?} as {level}"), || log(home).contains(&(level.into(), text.into())).then_some(()));
}

#[test]
fn a_component_for_wasi_reads_clocks_and_random_numbers_and_finds_its_environment_empty() {
    for (alice, _serving) in visited() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let clock = ask(&alice, "clock", 0).as_u64().unwrap();
        assert!(clock.abs_diff(now) < 300, "{clock}, and here it is {now}");
        assert_ne!(ask(&alice, "random", 0), ask(&alice, "random", 0));
        assert_eq!(ask(&alice, "environment", 0), json!({"variables": 0, "arguments": 0}));
        assert_eq!(ask(&alice, "input", 0), json!({"ok": ""}));
    }
}

#[test]
fn what_a_component_prints_goes_to_the_log_line_by_line_and_the_rest_when_it_ends() {
    for (alice, _serving) in visited() {
        for piece in ["first\nsec", "ond\r\n\n", &format!("{}\n", "long ".repeat(10_000)), "the rest"] {
            assert_eq!(ask(&alice, "print", piece), json!({"ok": "said"}));
        }
        assert_eq!(ask(&alice, "complain", "beware\n"), json!({"ok": "said"}));
        for (level, text) in [("INFO", "first"), ("INFO", "second"), ("WARN", "beware")] {
            logged(&alice, level, text);
        }
        let longest = log(&alice).into_iter().map(|(_, text)| text.len()).max();
        assert_eq!(longest, Some(8 << 10), "a line is kept up to the length of any line of the log");
        assert!(!log(&alice).iter().any(|(_, text)| text.is_empty() || text == "the rest"));
        alice.run(["kill", VISITOR]).ok();
        logged(&alice, "INFO", "the rest");
    }
}

#[test]
fn files_are_refused_and_the_log_says_once_what_to_use_instead() {
    for (alice, _serving) in visited() {
        for (what, name) in [("read", "/etc/hostname"), ("read", "settings.toml"), ("write", "out.txt"), ("list", "/")] {
            let answer = ask(&alice, what, name);
            assert!(answer["err"].as_str().unwrap().contains("Permission denied"), "{what} {name}: {answer}");
        }
        let refused = || log(&alice).into_iter().filter(|(_, text)| text.contains("was refused")).collect::<Vec<_>>();
        let lines = eventually("the log speaks of it", || Some(refused()).filter(|lines| !lines.is_empty()));
        let [(level, text)] = &lines[..] else { panic!("more than once: {lines:?}") };
        assert_eq!(level, "WARN");
        for part in ["etc/hostname", "transship:host/vfs", "[drives]", "[process.capabilities]"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn sockets_are_refused_and_the_log_says_once_what_to_use_instead() {
    let Some((alice, _serving)) = visited_by("wasm32-wasip2", "") else { return };
    let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let somewhere = listening.local_addr().unwrap().to_string();
    for (what, address) in [("connect", somewhere.as_str()), ("connect", "localhost:80"), ("bind", "127.0.0.1:0")] {
        let answer = ask(&alice, what, address);
        assert!(answer["err"].as_str().unwrap().contains("Permission denied"), "{what} {address}: {answer}");
    }
    listening.set_nonblocking(true).unwrap();
    assert_eq!(listening.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    let refused = || log(&alice).into_iter().filter(|(_, text)| text.contains("was refused")).collect::<Vec<_>>();
    let lines = eventually("the log speaks of it", || Some(refused()).filter(|lines| !lines.is_empty()));
    let [(level, text)] = &lines[..] else { panic!("more than once: {lines:?}") };
    assert!(level == "WARN" && text.contains("a TCP socket") && text.contains("transship:host/messaging") && text.contains("network = true"), "{text}");
}

#[test]
fn a_sleeping_component_holds_nobody_up_and_does_not_count_as_computing() {
    for kind in KINDS.into_iter().chain(["javascript"]) {
        let Some((alice, _serving)) = visited_by(kind, "[limits]\nbusy = 300") else { continue };
        let mut sleeping = alice.command(["message", &format!("alice@{VISITOR}"), r#"["sleep",3000]"#]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        eventually("it sleeps", || {
            let ps = alice.run(["--json", "ps"]).ok().json();
            ps.iter().find(|line| line["id"] == VISITOR).filter(|line| line["messages_in"] == 2).map(drop)
        });
        // On the node's only thread.
        assert_eq!(alice.message("alice@manager:file-transfer:transship", &json!("list-files")), json!({"list-files": []}));
        assert!(sleeping.try_wait().unwrap().is_none(), "it still sleeps");
        let answer = sleeping.wait_with_output().unwrap();
        let slept: u64 = String::from_utf8_lossy(&answer.stdout).trim().parse().unwrap();
        assert!(slept >= 3000, "{kind}: {slept}");
    }
}

#[test]
fn a_component_in_javascript_has_clocks_random_numbers_and_a_console() {
    let Some((alice, _serving)) = visited_by("javascript", "") else { return };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(ask(&alice, "clock", 0).as_u64().unwrap().abs_diff(now) < 300);
    let (one, other) = (ask(&alice, "random", 0), ask(&alice, "random", 0));
    assert!(one[0] != other[0] && one[1] != other[1], "{one} {other}");
    ask(&alice, "print", "said so");
    ask(&alice, "complain", "beware");
    logged(&alice, "INFO", "said so");
    logged(&alice, "WARN", "beware");
}

#[test]
fn a_component_that_exits_ends_well_with_0_and_is_started_again_after_anything_else() {
    for (alice, _serving) in visited() {
        let exit = |code: u8| alice.run(["message", &format!("alice@{VISITOR}"), &json!(["exit", code]).to_string()]).code(3);
        exit(7);
        logged(&alice, "WARN", "ended: it exited with code 1");
        eventually("it runs again", || alice.processes().contains(&VISITOR.into()).then_some(()));
        exit(0);
        eventually("it is gone", || (!alice.processes().contains(&VISITOR.into())).then_some(()));
        assert_eq!(log(&alice).iter().filter(|(_, text)| text.starts_with("ended")).count(), 1, "{:?}", log(&alice));
    }
}

#[test]
fn what_a_component_in_another_language_fails_with_is_the_reason_of_its_end() {
    for kind in ["python", "javascript"] {
        let Some((alice, _serving)) = visited_by(kind, "") else { continue };
        alice.run(["message", &format!("alice@{VISITOR}"), r#"["fail","on purpose"]"#]).code(3);
        logged(&alice, "WARN", "ended: on purpose");
        eventually("it runs again", || alice.processes().contains(&VISITOR.into()).then_some(()));
    }
}
