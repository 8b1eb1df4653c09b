use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::engine::Limits;
use crate::process::Birth;
use crate::process::pending::Due;
use crate::turns::Turns;

const SOON: Duration = Duration::from_secs(30);

fn process() -> Arc<Process> {
    let birth = Birth {
        id: "a:p:q".parse().unwrap(),
        parent: None,
        component: "c".into(),
        public: false,
        owner: false,
        held: Vec::new(),
        memory_limit: 0,
        asked: None,
    };
    Arc::new(Process::new(birth, &Limits::default()))
}

/// The next completion, as soon as there is one.
async fn completion(process: &Process) -> (u64, Result<Vec<u8>, String>) {
    let wait = async {
        loop {
            let due = process.pending.lock().take_due();
            match due {
                Some(Due::Completion { operation, outcome }) => return (operation, outcome),
                _ => process.mailbox.wait().await,
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("a completion")
}

/// Work that takes its turn, says that it has begun, and goes on when it is let through.
fn gated(turns: &Turns) -> (impl Future<Output = Result<Vec<u8>, String>> + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((begun, has_begun), (pass, passes)) = (mpsc::channel(), mpsc::channel());
    let turns = turns.clone();
    let work = async move {
        let done = turns.run(move || {
            let _ = begun.send(());
            let _ = passes.recv();
            vec![7]
        });
        done.await.map_err(|error| error.to_string())
    };
    (work, has_begun, pass)
}

#[tokio::test]
async fn each_operation_has_its_number_and_one_completion() {
    let process = process();
    let background = Background::new(process.clone());
    let first = background.start(async { Ok(vec![1]) });
    let second = background.done(Err("no".into()));
    let mut got = [completion(&process).await, completion(&process).await];
    got.sort();
    assert_eq!(got, [(first, Ok(vec![1])), (second, Err("no".into()))]);
}

#[test]
fn those_who_wait_for_their_turn_take_no_thread_from_others() {
    // Two threads for long work, of three.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(3).build().unwrap();
    runtime.block_on(async {
        let node = Arc::new(Semaphore::new(2));
        let processes: Vec<_> = (0..4).map(|_| process()).collect();
        let running: Vec<_> = processes.iter().map(|process| (Background::new(process.clone()), Turns::new(8, node.clone()))).collect();
        let gates: Vec<_> = (0..100)
            .filter_map(|number| {
                let (background, turns) = running.get(number % 4)?;
                let (work, begun, pass) = gated(turns);
                background.start(work);
                Some((begun, pass))
            })
            .collect();
        // Others are served while all of these are under way.
        for number in 0..10 {
            let served = tokio::time::timeout(SOON, tokio::task::spawn_blocking(move || number)).await;
            assert_eq!(served.expect("a thread for others").unwrap(), number);
        }
        assert_eq!(gates.iter().filter(|(begun, _)| begun.try_recv().is_ok()).count(), 2);
        // And each of these has its turn.
        drop(gates);
        for process in &processes {
            for _ in 0..25 {
                assert_eq!(completion(process).await.1, Ok(vec![7]));
            }
        }
    });
}

#[tokio::test]
async fn one_process_has_some_turns_of_the_nodes_and_not_all() {
    let node = Arc::new(Semaphore::new(4));
    let (greedy, modest) = (process(), process());
    let (greedy, other) = ((Background::new(greedy.clone()), Turns::new(3, node.clone())), (Background::new(modest.clone()), Turns::new(3, node)));
    let gates: Vec<_> = (0..50)
        .map(|_| {
            let (work, begun, pass) = gated(&greedy.1);
            greedy.0.start(work);
            (begun, pass)
        })
        .collect();
    let turns = other.1.clone();
    other.0.start(async move { turns.run(|| vec![1]).await.map_err(|error| error.to_string()) });
    assert_eq!(completion(&modest).await.1, Ok(vec![1]));
    drop(gates);
}

#[tokio::test]
async fn beyond_what_may_be_under_way_the_completion_says_so_and_nothing_is_begun() {
    let process = process();
    let background = Background::new(process.clone());
    let held: Vec<_> = (0..MAX_UNDER_WAY)
        .map(|_| {
            let (over, is_over) = tokio::sync::oneshot::channel::<()>();
            background.start(async move { is_over.await.map(|()| Vec::new()).map_err(|error| error.to_string()) });
            over
        })
        .collect();
    let refused = background.start(async { Ok(Vec::new()) });
    let (operation, outcome) = completion(&process).await;
    assert_eq!(operation, refused);
    assert!(outcome.unwrap_err().contains("wait for completions"));
    // One that is over makes room for another.
    held.into_iter().next().unwrap().send(()).unwrap();
    assert_eq!(completion(&process).await.1, Ok(Vec::new()));
}

#[tokio::test]
async fn what_a_run_began_ends_with_it_and_the_next_run_hears_nothing_of_it() {
    let process = process();
    let turns = Turns::new(1, Arc::new(Semaphore::new(1)));
    let background = Background::new(process.clone());
    let ((running, running_begun, pass), (waiting, waiting_begun, _)) = (gated(&turns), gated(&turns));
    background.start(running);
    tokio::task::spawn_blocking(move || running_begun.recv_timeout(SOON)).await.unwrap().unwrap();
    background.start(waiting);
    drop(background);
    process.pending.lock().forget();
    drop(pass);
    // The turn is free again, so the one that waited would have been the next.
    let next = Background::new(process.clone());
    let turn = turns.clone();
    let operation = next.start(async move { turn.run(|| vec![2]).await.map_err(|error| error.to_string()) });
    assert_eq!(completion(&process).await, (operation, Ok(vec![2])));
    assert!(waiting_begun.try_recv().is_err(), "it was begun for nobody");
}
