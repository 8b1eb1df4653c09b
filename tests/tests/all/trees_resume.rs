//! Trees that are cut off in the middle: what is complete stays, nothing else is seen, and the same command moves the rest.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use transship_tests::transfer::{Wired, hidden_in, journal_ranges, journaled, partial_in, safe_on_disk};
use transship_tests::tree::{Watch, files_in, many, plant, same};
use transship_tests::{Outcome, Running, eventually, meanwhile};

/// Small files: of so many bytes each.
const SMALL: u64 = 4096;
/// More of them than get their names at once, and so few that the large one comes soon.
const MANY: u64 = 6000;
const FEW: u64 = 500;
/// And a large one, which comes last.
const LARGE: u64 = 30 << 20;
/// What passes until some of [`MANY`] small files have their names, and until some of the large one is there after [`FEW`].
const IN_SMALL: u64 = 20 << 20;
const IN_LARGE: u64 = 14 << 20;
/// What else passes: the listing, what is said about the transfer, the link's own.
const OVERHEAD: u64 = 2 << 20;

/// One way of a tree between alice, who runs the commands, and bob.
struct Way {
    command: &'static [&'static str],
    source: PathBuf,
    target: PathBuf,
}

/// A wire between the two, and a tree each way with so many small files.
fn scene(small: u64) -> (Wired, [Way; 2]) {
    let wired = Wired::new("", "list,read,write");
    let get = Way { command: &["get", "-r", "bob:photos"], source: wired.bob.file("photos"), target: wired.alice.scratch().join("photos") };
    let put = Way { command: &["put", "-r", "out", "bob:"], source: wired.alice.scratch().join("out"), target: wired.bob.file("out") };
    for way in [&get, &put] {
        many(&way.source.join("many"), small, SMALL);
        plant(&way.source.join("zlarge"), LARGE, 0o644);
    }
    (wired, [get, put])
}

impl Way {
    /// Starts it, and waits until so much has passed that some of it is there.
    fn part(&self, wired: &Wired, bytes: u64) -> Running {
        wired.proxy.hold_after(bytes);
        let running = wired.alice.start(self.command);
        wired.proxy.held();
        running
    }

    /// Waits until something of it is seen.
    fn some(&self) -> BTreeMap<PathBuf, u64> {
        eventually("some files are there", || Some(files_in(&self.target)).filter(|files| !files.is_empty()))
    }

    /// Runs it to its end: it moves what was not there, and nothing else.
    #[track_caller]
    fn finish(&self, wired: &Wired) {
        let there = files_in(&self.target);
        let all = files_in(&self.source);
        assert!(there.len() < all.len(), "it was cut off in the middle, and not behind the end");
        let lacking: u64 = all.iter().filter(|(path, _)| !there.contains_key(*path)).map(|(_, size)| size).sum();
        let before = wired.proxy.forwarded();
        let done = wired.alice.run_json(self.command).ok().event("done");
        let passed = wired.proxy.forwarded() - before;
        let tree = &done["tree"];
        assert_eq!(tree["unchanged"], there.len(), "{done}");
        assert_eq!(tree["new"], all.len() - there.len(), "{done}");
        assert!(passed < lacking + OVERHEAD, "{passed} bytes passed for the {lacking} that were lacking");
        self.whole();
    }

    #[track_caller]
    fn whole(&self) {
        same(&self.source, &self.target, false);
        assert_eq!(hidden_in(&self.target), Vec::<String>::new());
    }
}

/// Kills bob or alice, `bytes` after the begin of a tree with so many small files, and goes on.
fn killed(bob: bool, small: u64, bytes: u64) {
    let (mut wired, ways) = scene(small);
    for way in &ways {
        let mut watch = Watch::default();
        let serving = (!bob).then(|| wired.alice.serve());
        let (source, target) = (way.source.clone(), way.target.clone());
        let mut look = || watch.look(&source, &target);
        meanwhile(&mut look, || {
            let running = way.part(&wired, bytes);
            let outcome = match serving {
                Some(serving) => {
                    way.some();
                    serving.kill9();
                    wired.proxy.cut_all();
                    wired.proxy.release();
                    running.end()
                }
                None => {
                    way.some();
                    wired.bob_dies();
                    let outcome = running.end();
                    wired.bob_is_back();
                    outcome
                }
            };
            assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
            wired.bob.settled();
            way.finish(&wired);
        });
        watch.look(&way.source, &way.target);
        assert_eq!(watch.count(), files_in(&way.source).len());
    }
}

#[test]
fn after_a_kill_of_the_other_node_among_small_files_the_same_command_goes_on() {
    killed(true, MANY, IN_SMALL);
}

#[test]
fn after_a_kill_of_the_other_node_in_a_large_file_the_same_command_goes_on() {
    killed(true, FEW, IN_LARGE);
}

#[test]
fn after_a_kill_of_our_node_among_small_files_the_same_command_goes_on() {
    killed(false, MANY, IN_SMALL);
}

#[test]
fn after_a_kill_of_our_node_in_a_large_file_the_same_command_goes_on() {
    killed(false, FEW, IN_LARGE);
}

impl Way {
    /// Kills the command, which runs alice's node, in the middle of the large file; returns how much of it is safe at least: what is sent to bob ends when the next transfer to there asks after it.
    fn cut_off_in_the_large(&self, wired: &Wired) -> u64 {
        wired.proxy.hold_after(IN_LARGE);
        // It is not given up: what is there becomes safe although nothing more comes.
        let running = wired.alice.start([self.command, &["--timeout", "10m"]].concat());
        wired.proxy.held();
        safe_on_disk(&self.target, 1);
        running.kill9();
        wired.proxy.cut_all();
        wired.proxy.release();
        journaled(&self.target)
    }
}

#[test]
fn what_is_there_of_a_large_file_is_taken_up_and_counted() {
    let (wired, ways) = scene(FEW);
    for way in &ways {
        let safe = way.cut_off_in_the_large(&wired);
        let lacking = LARGE - safe + SMALL * (FEW + 1 - files_in(&way.target).len() as u64);
        let before = wired.proxy.forwarded();
        let done = wired.alice.run_json(way.command).ok().event("done");
        let passed = wired.proxy.forwarded() - before;
        assert!(done["resumed"].as_u64().is_some_and(|resumed| (safe..LARGE).contains(&resumed)), "{safe} bytes were safe: {done}");
        assert!(safe > 0 && passed < lacking + OVERHEAD, "{passed} bytes passed for the {lacking} that were lacking, and {safe} were there");
        way.whole();
        // What was complete is not resumed.
        let again = wired.alice.run_json(way.command).ok().event("done");
        assert_eq!((&again["resumed"], &again["tree"]["unchanged"]), (&0.into(), &(FEW + 1).into()), "{again}");
    }
}

#[test]
fn a_large_file_that_starts_over_is_counted_once() {
    let (wired, ways) = scene(FEW);
    for way in &ways {
        way.cut_off_in_the_large(&wired);
        let (start, _) = journal_ranges(&way.target)[0];
        let partial = std::fs::File::options().read(true).write(true).open(partial_in(&way.target)).unwrap();
        let mut byte = [0];
        partial.read_exact_at(&mut byte, start).unwrap();
        partial.write_all_at(&[byte[0] ^ 1], start).unwrap();
        // Slow enough that some is said of it on the way.
        let outcome = wired.alice.run_json([way.command, &["--limit", "20M"]].concat()).ok();
        let progress: Vec<(u64, u64)> = outcome
            .json()
            .iter()
            .filter(|event| event["event"] == "progress")
            .filter_map(|event| Some((event["bytes_done"].as_u64()?, event["bytes_total"].as_u64()?)))
            .collect();
        assert!(progress.windows(2).any(|pair| pair[1].0 < pair[0].0), "it started over: {progress:?}");
        assert!(progress.iter().all(|(done, total)| done <= total), "{progress:?}");
        assert_eq!(outcome.event("done")["resumed"], 0);
        way.whole();
    }
}

#[test]
fn a_command_that_runs_the_node_itself_goes_on_after_it_was_killed() {
    let (wired, ways) = scene(MANY);
    for way in &ways {
        let running = way.part(&wired, IN_SMALL);
        way.some();
        running.kill9();
        wired.proxy.cut_all();
        wired.proxy.release();
        wired.bob.settled();
        way.finish(&wired);
    }
}

#[test]
fn a_dry_run_leaves_what_a_killed_attempt_left() {
    let (wired, [get, _]) = scene(MANY);
    let running = get.part(&wired, IN_SMALL);
    get.some();
    eventually("something waits for its name", || (!hidden_in(&get.target).is_empty()).then_some(()));
    running.kill9();
    wired.proxy.cut_all();
    wired.proxy.release();
    wired.bob.settled();
    // Until it was killed it may have begun with more.
    let hidden = hidden_in(&get.target);
    let stage = get.target.join(hidden.iter().find(|name| name.ends_with(".tree")).unwrap());
    let staged = files_in(&stage);
    wired.alice.run([get.command, &["--dry-run"]].concat()).ok();
    assert_eq!(hidden_in(&get.target), hidden);
    assert_eq!(files_in(&stage), staged);
    get.finish(&wired);
}

#[test]
fn ctrl_c_keeps_what_has_arrived_and_the_same_command_goes_on() {
    let (wired, ways) = scene(MANY);
    for way in &ways {
        // Fewer than get their names at once: they have them soon all the same, though nothing more comes.
        let running = way.part(&wired, 6 << 20);
        let there = eventually("what has arrived is there", || Some(files_in(&way.target).len()).filter(|there| *there >= 500));
        running.signal("INT");
        wired.proxy.release();
        running.end().code(130).says("run the same command again");
        wired.bob.settled();
        assert!(files_in(&way.target).len() >= there);
        way.finish(&wired);
    }
}

/// Stops what runs with `cancel`.
fn cancelled(wired: &Wired, way: &Way, keep: bool) -> Outcome {
    let mut running = way.part(wired, IN_LARGE);
    let id = running.started();
    way.some();
    let options: &[&str] = if keep { &["--keep"] } else { &[] };
    wired.alice.run([&["cancel", &id], options].concat()).ok();
    wired.proxy.release();
    let outcome = running.end().code(130);
    wired.alice.settled();
    wired.bob.settled();
    outcome
}

#[test]
fn a_cancelled_tree_leaves_no_hidden_files_and_what_is_seen_is_whole() {
    let (wired, ways) = scene(FEW);
    let _serving = wired.alice.serve();
    for way in &ways {
        cancelled(&wired, way, false).fails("cancelled", 130);
        assert_eq!(hidden_in(&way.target), Vec::<String>::new());
        Watch::default().look(&way.source, &way.target);
    }
}

#[test]
fn a_tree_stopped_with_keep_goes_on_later() {
    let (wired, ways) = scene(FEW);
    let _serving = wired.alice.serve();
    for way in &ways {
        cancelled(&wired, way, true).fails("interrupted", 130);
        way.finish(&wired);
    }
}

#[test]
fn what_is_kept_of_one_of_two_that_ran_at_the_same_time_is_taken_up() {
    let (wired, [get, _]) = scene(1);
    let _serving = wired.alice.serve();
    let slowly = [get.command, &["--limit", "2M"]].concat();
    let begun = |count: usize| {
        let partial = || hidden_in(&get.target).into_iter().filter(|name| name.ends_with(".partial")).count();
        eventually("both large files have begun", || (partial() == count).then_some(()));
    };
    let mut first = wired.alice.start(&slowly);
    let first_id = first.started();
    begun(1);
    let mut second = wired.alice.start(&slowly);
    let second_id = second.started();
    begun(2);
    // What is safe of either is in a journal of its own: so of both there is something.
    eventually("something of both is safe", || (journal_ranges(&get.target).iter().filter(|(start, _)| *start == 0).count() == 2).then_some(()));
    wired.alice.run(["cancel", &first_id]).ok();
    wired.alice.run(["cancel", &second_id, "--keep"]).ok();
    first.end().fails("cancelled", 130);
    second.end().fails("interrupted", 130);
    wired.alice.settled();
    wired.bob.settled();
    let done = wired.alice.run_json(get.command).ok().event("done");
    assert!(done["resumed"].as_u64().is_some_and(|resumed| resumed > 0), "{done}");
    get.whole();
}

#[test]
fn what_is_kept_of_a_tree_is_thrown_away_with_nothing_left() {
    let (wired, [_, put]) = scene(1);
    let _serving = wired.alice.serve();
    let mut running = put.part(&wired, IN_LARGE);
    let id = running.started();
    safe_on_disk(&put.target, 1);
    wired.alice.run(["cancel", &id, "--keep"]).ok();
    wired.proxy.release();
    running.end().fails("interrupted", 130);
    wired.alice.settled();
    wired.bob.settled();
    let shown = wired.bob.run_json(["transfers", "--stopped"]).ok().json();
    assert_eq!(shown.len(), 1, "{shown:?}");
    wired.bob.run(["cancel", shown[0]["id"].as_str().unwrap()]).ok();
    assert_eq!(hidden_in(&wired.bob.files()), Vec::<String>::new());
}

#[test]
fn a_get_that_is_refused_or_stopped_at_once_leaves_no_folder() {
    let (wired, [get, _]) = scene(FEW);
    let _serving = wired.alice.serve();
    wired.proxy.hold_after(0);
    let mut running = wired.alice.start(get.command);
    running.started();
    running.signal("INT");
    wired.proxy.release();
    running.end().code(130);
    assert!(!get.target.exists());
}

#[test]
fn a_wire_that_breaks_and_mends_is_no_end() {
    let (wired, ways) = scene(MANY);
    let _serving = wired.alice.serve();
    for way in &ways {
        let running = way.part(&wired, 6 << 20);
        assert!(wired.proxy.cut_all());
        wired.proxy.release();
        running.end().ok();
        way.whole();
    }
}
