//! Takes the time of what a process does with others, as the process itself sees it: nothing of a command or of a socket to it is in the figures.
//!
//! A request whose body is a [`Job`] in JSON is a measurement, answered with one duration in nanoseconds for each repetition; every other request is given back as it came. A process that
//! another one of this component started tells it so first.

use std::collections::VecDeque;

use serde::Deserialize;
use transship_guest::bindings::transship::host::timer;
use transship_guest::message::{receive, respond_later};
use transship_guest::prelude::*;
use transship_guest::process::{Spawn, kill, parent};

transship_guest::process!(init);

/// How long an answer may take, in milliseconds.
const PATIENCE: u64 = 10_000;
/// What a message that is timed carries.
const SMALL: &[u8] = b"0123456789abcdef";
/// What a process says first to the one that started it.
const READY: &[u8] = b"ready";

/// What to measure.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Job {
    /// A small request to this process and its response, so many times.
    Ask { target: String, count: u32 },
    /// From the call that starts a process to its first message, so many times; each is ended before the next begins.
    Spawn { count: u32 },
    /// The same, and all go on living.
    Populate { count: u32 },
}

fn init(_our: Address) -> Result<(), String> {
    if let Some(parent) = parent() {
        Request::to(&parent).body(READY.to_vec()).send().map_err(|error| format!("{:?}", error.kind))?;
    }
    loop {
        let Message::Request(asked) = receive() else { continue };
        // What a job receives must not be taken for what is answered.
        let Some(responder) = respond_later() else { continue };
        let answer = match serde_json::from_slice::<Job>(&asked.request.body) {
            Ok(job) => match run(job) {
                Ok(times) => Response::json(&times),
                Err(why) => Response::json(&serde_json::json!({ "err": why })),
            },
            Err(_) => Ok(Response::new().body(asked.request.body)),
        };
        match answer.map(|answer| answer.send_to(&responder)) {
            // Whoever asked may be gone.
            Ok(Ok(()) | Err(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn run(job: Job) -> Result<Vec<u64>, String> {
    match job {
        Job::Ask { target, count } => {
            let target: Address = target.parse().map_err(|error| format!("{target}: {error}"))?;
            (0..count).map(|_| ask(&target)).collect()
        }
        Job::Spawn { count } => {
            // One process is being ended while the next begins, as where many come and go.
            let mut alive = VecDeque::new();
            let mut times = Vec::new();
            for _ in 0..count {
                let (child, time) = spawn()?;
                alive.push_back(child);
                times.push(time);
                if let Some(child) = alive.pop_front() {
                    kill(&child.process);
                }
            }
            Ok(times)
        }
        Job::Populate { count } => (0..count).map(|_| spawn().map(|(_, time)| time)).collect(),
    }
}

fn ask(target: &Address) -> Result<u64, String> {
    let begun = timer::monotonic();
    let answer = Request::to(target).body(SMALL.to_vec()).timeout(PATIENCE).send_and_await();
    let time = timer::monotonic() - begun;
    match answer {
        Ok(answer) if answer.response.body == SMALL => Ok(time),
        Ok(_) => Err(format!("{target} answered something else")),
        Err(error) => Err(format!("{target} did not answer: {:?}", error.kind)),
    }
}

/// Starts a process and waits for its first message.
fn spawn() -> Result<(Address, u64), String> {
    let begun = timer::monotonic();
    let child = Spawn::component("stopwatch").spawn().map_err(|error| format!("{error:?}"))?;
    loop {
        match receive() {
            Message::Request(said) if said.source == child => return Ok((child, timer::monotonic() - begun)),
            Message::Request(_) | Message::Response(_) | Message::SendError(_) | Message::Timer(_) | Message::Completion(_) => {}
        }
    }
}
