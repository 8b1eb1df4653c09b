//! A process that does what a test tells it to: each request is one [`Step`], its response says what came of it. What arrives in between is kept as events.
//!
//! It exists so that tests can drive every call of the node from outside, well- and ill-behaved.

mod script;
mod step;
mod steps;

use serde_json::{Value, json};
use step::Step;
use transship_guest::bindings::transship::host::messaging;
use transship_guest::message::{CapabilityKind, Responder, receive};
use transship_guest::prelude::*;

transship_guest::process!(init);

/// What the puppet remembers between requests.
#[derive(Default)]
struct Puppet {
    /// What arrived and was no step.
    events: Vec<Value>,
    /// Requests to be answered later.
    held_back: Vec<Responder>,
    /// Capabilities that came with the last request, and those it issued.
    at_hand: Vec<Capability>,
    hoard: Vec<Blob>,
    memory: Vec<Vec<u8>>,
}

fn init(our: Address) -> Result<(), String> {
    let mut puppet = Puppet::default();
    loop {
        match receive() {
            Message::Request(mut asked) => {
                puppet.at_hand.append(&mut asked.request.capabilities);
                if let Ok(arguments) = serde_json::from_slice::<Vec<String>>(&asked.request.body) {
                    script::run(&our, &asked, &arguments);
                    continue;
                }
                let step = match serde_json::from_slice::<Step>(&asked.request.body) {
                    Ok(step) => step,
                    Err(_) => {
                        let body = String::from_utf8_lossy(&asked.request.body).into_owned();
                        let blob = asked.request.blob.map(|blob| blob.length());
                        puppet
                            .events
                            .push(json!({"request": {"source": asked.source.to_string(), "body": body, "metadata": asked.request.metadata, "blob": blob}}));
                        continue;
                    }
                };
                match puppet.take(&our, step, &asked) {
                    Done::Answer(value) => drop(respond_json(&value)),
                    Done::AnswerInKind(value) => {
                        let answer = Response::new().body(value.to_string().into_bytes()).inherit();
                        drop(match asked.request.metadata {
                            Some(note) => answer.metadata(note).send(),
                            None => answer.send(),
                        });
                    }
                    Done::Silent => {}
                    Done::End(outcome) => return outcome,
                }
            }
            other => puppet.events.push(event(other)),
        }
    }
}

/// What follows a step.
enum Done {
    Answer(Value),
    /// With the request's blob and metadata.
    AnswerInKind(Value),
    Silent,
    End(Result<(), String>),
}

fn event(message: Message) -> Value {
    match message {
        Message::Request(_) => Value::Null,
        Message::Response(got) => json!({"response": {
            "source": got.source.to_string(),
            "body": String::from_utf8_lossy(&got.response.body),
            "context": got.context.map(|context| String::from_utf8_lossy(&context).into_owned()),
            "blob": got.response.blob.map(|blob| blob.length()),
        }}),
        Message::SendError(error) => json!({"send-error": returned(&error)}),
        Message::Timer(number) => json!({ "timer": number }),
        Message::Completion(done) => json!({"completion": {
            "operation": done.operation,
            "outcome": match done.outcome { Ok(bytes) => json!({"ok": transship_guest::hex::encode(&bytes)}), Err(why) => json!({"err": why}) },
        }}),
    }
}

/// A request that failed, as it was given back.
fn returned(error: &messaging::SendError) -> Value {
    json!({
        "kind": format!("{:?}", error.kind),
        "target": error.target.to_string(),
        "body": String::from_utf8_lossy(&error.request.body),
        "context": error.context.as_ref().map(|context| String::from_utf8_lossy(context).into_owned()),
        "blob": error.request.blob.as_ref().map(Blob::length),
    })
}

fn describe(capability: &Capability) -> String {
    let kind = match capability.kind() {
        CapabilityKind::Drive(grant) => format!("drive {} {:?}", grant.drive, grant.rights),
        CapabilityKind::Network => "network".into(),
        CapabilityKind::Messaging(process) => format!("messaging {process}"),
        CapabilityKind::Spawning => "spawning".into(),
        CapabilityKind::Custom(custom) => format!("custom {} {}", custom.issuer, custom.params),
    };
    if capability.valid() { kind } else { format!("ended: {kind}") }
}
