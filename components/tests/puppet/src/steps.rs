//! How each step is done.

use serde_json::{Value, json};
use transship_guest::address::ProcessId;
use transship_guest::bindings::transship::host::vfs::NewName;
use transship_guest::bindings::transship::host::{capabilities, digests, log, messaging, peers, state, timer};
use transship_guest::drive::{Directory, VfsError};
use transship_guest::message::{CapabilityKind, DriveGrant, ReceivedRequest, SendErrorKind, respond_later};
use transship_guest::prelude::*;
use transship_guest::process::{ExitRequest, OnExit, Spawn, children, exit, kill, parent};

use crate::step::Step;
use crate::{Done, Puppet, describe, returned};

fn kind(error: &SendErrorKind) -> Value {
    json!({ "err": format!("{error:?}") })
}

fn result<T: Into<Value>, E: std::fmt::Debug>(result: Result<T, E>) -> Value {
    match result {
        Ok(value) => json!({"ok": value.into()}),
        Err(error) => json!({"err": format!("{error:?}")}),
    }
}

impl Puppet {
    /// Does a step.
    pub(crate) fn take(&mut self, our: &Address, step: Step, asked: &ReceivedRequest) -> Done {
        match self.step(our, step, asked) {
            Ok(done) => done,
            Err(why) => Done::Answer(json!({"err": why})),
        }
    }

    fn step(&mut self, our: &Address, step: Step, asked: &ReceivedRequest) -> Result<Done, String> {
        let answer = match step {
            Step::Echo(text) => {
                let blob = asked.request.blob.as_ref();
                let value =
                    json!({"source": asked.source.to_string(), "text": text, "blob": blob.map(Blob::length), "mime-type": blob.and_then(Blob::mime_type)});
                return Ok(Done::AnswerInKind(value));
            }
            Step::Ignore => return Ok(Done::Silent),
            Step::Spin => loop {
                std::hint::black_box(());
            },
            #[allow(clippy::panic, reason = "this is what is asked for")]
            Step::Trap => panic!("told to"),
            Step::Allocate(bytes) => {
                let bytes = usize::try_from(bytes).map_err(|_| "more than an address can name".to_owned())?;
                let mut memory: Vec<u8> = Vec::new();
                // As most programs do: an allocation that fails ends the process.
                memory.resize(bytes, 1);
                self.memory.push(memory);
                json!("allocated")
            }
            Step::Hoard(count, size) => {
                let bytes = vec![1; usize::try_from(size).map_err(|error| error.to_string())?];
                let mut refused = Value::Null;
                for _ in 0..count {
                    match Blob::from_bytes(&bytes, None) {
                        Ok(blob) => self.hoard.push(blob),
                        Err(error) => {
                            refused = json!(format!("{error:?}"));
                            break;
                        }
                    }
                }
                json!({"kept": self.hoard.len(), "refused": refused})
            }
            Step::Return(reason) => return Ok(Done::End(reason.map_or(Ok(()), Err))),
            Step::Exit(reason) => {
                let outcome = reason.map_or(Ok(()), Err);
                exit(outcome.as_ref().copied().map_err(String::as_str));
                json!("still here")
            }
            Step::Stall(milliseconds) => {
                let waited = Request::to(our).body(b"nobody answers".to_vec()).timeout(milliseconds).send_and_await();
                json!(waited.is_err())
            }
            Step::Ask { target, body, timeout, metadata, blob, mime_type } => {
                let mut request = Request::to(&address(&target)?).json(&body).map_err(|error| error.to_string())?.timeout(timeout);
                if let Some(note) = metadata {
                    request = request.metadata(note);
                }
                if let Some(text) = blob {
                    request = request.blob(Blob::from_bytes(text.as_bytes(), mime_type.as_deref()).map_err(|error| format!("{error:?}"))?);
                }
                match request.send_and_await() {
                    Ok(got) => json!({
                        "ok": serde_json::from_slice(&got.response.body).unwrap_or(Value::Null),
                        "source": got.source.to_string(),
                        "metadata": got.response.metadata,
                        "blob": got.response.blob.as_ref().map(Blob::length),
                        "mime-type": got.response.blob.as_ref().and_then(Blob::mime_type),
                    }),
                    Err(error) => json!({"err": format!("{:?}", error.kind), "body": String::from_utf8_lossy(&error.request.body)}),
                }
            }
            Step::Send { target, body, timeout, context, blob } => {
                let mut request = Request::to(&address(&target)?).json(&body).map_err(|error| error.to_string())?;
                if let Some(timeout) = timeout {
                    request = request.timeout(timeout);
                }
                if let Some(context) = context {
                    request = request.context(context.into_bytes());
                }
                if let Some(text) = blob {
                    request = request.blob(Blob::from_bytes(text.as_bytes(), None).map_err(|error| format!("{error:?}"))?);
                }
                match request.send() {
                    Ok(()) => json!({"ok": null}),
                    Err(error) => json!({"err": returned(&error)}),
                }
            }
            Step::Batch { targets, body } => {
                let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
                let mut requests = Vec::new();
                for target in targets {
                    let request = messaging::Request {
                        inherit: false,
                        expects_response: Some(5000),
                        body: body.clone(),
                        metadata: None,
                        blob: None,
                        capabilities: Vec::new(),
                    };
                    requests.push(messaging::AddressedRequest { target: address(&target)?, context: Some(target.into_bytes()), request });
                }
                let results = messaging::send_requests(requests);
                results.into_iter().map(|sent| sent.map_or_else(|error| kind(&error.kind), |()| json!({"ok": null}))).collect()
            }
            Step::HandOn { target, body } => {
                let request = Request::to(&address(&target)?).json(&body).map_err(|error| error.to_string())?.inherit();
                return match request.send() {
                    Ok(()) => Ok(Done::Silent),
                    Err(error) => Ok(Done::Answer(kind(&error.kind))),
                };
            }
            Step::HoldBack => {
                self.held_back.extend(respond_later());
                return Ok(Done::Silent);
            }
            Step::Release(text) => {
                let count = self.held_back.len();
                for responder in self.held_back.drain(..) {
                    let response = Response::json(&json!({ "released": text })).map_err(|error| error.to_string())?;
                    response.send_to(&responder).map_err(|error| format!("{error:?}"))?;
                }
                json!(count)
            }
            Step::Flood { target, count, size } => {
                let target = address(&target)?;
                let (mut taken, mut refused) = (0u32, Value::Null);
                for _ in 0..count {
                    match Request::to(&target).body(vec![b'x'; size as usize]).timeout(300).send() {
                        Ok(()) => taken += 1,
                        Err(error) => {
                            refused = json!(format!("{:?}", error.kind));
                            break;
                        }
                    }
                }
                json!({"taken": taken, "refused": refused})
            }
            Step::Events => Value::Array(std::mem::take(&mut self.events)),
            Step::Spawn { name, component, restart, notify, grant, public } => {
                let mut spawn = Spawn::component(component);
                if let Some(name) = name {
                    spawn = spawn.name(name);
                }
                if restart {
                    spawn = spawn.on_exit(OnExit::Restart);
                }
                if let Some(body) = notify {
                    spawn = spawn.on_exit(OnExit::Requests(vec![ExitRequest { target: our.clone(), body: body.into_bytes() }]));
                }
                if public {
                    spawn = spawn.public();
                }
                let mut held: Vec<Option<Capability>> = capabilities::held().into_iter().map(Some).collect();
                for place in grant {
                    spawn = spawn.grant(held.get_mut(place).and_then(Option::take).ok_or("nothing is held there")?);
                }
                result(spawn.spawn().map(|address| address.to_string()))
            }
            Step::SpawnMany(count) => {
                let (mut started, mut refused) = (0u32, Value::Null);
                for _ in 0..count {
                    match Spawn::component("puppet").spawn() {
                        Ok(_) => started += 1,
                        Err(error) => {
                            refused = json!(format!("{error:?}"));
                            break;
                        }
                    }
                }
                json!({"started": started, "refused": refused})
            }
            Step::Kill(process) => json!(kill(&process.parse::<ProcessId>().map_err(|error| error.to_string())?)),
            Step::Children => children().iter().map(ToString::to_string).collect(),
            Step::Parent => json!(parent().map(|parent| parent.to_string())),
            Step::Held => json!({
                "held": capabilities::held().iter().map(describe).collect::<Vec<_>>(),
                "at-hand": self.at_hand.iter().map(describe).collect::<Vec<_>>(),
            }),
            Step::Keep => self.at_hand.drain(..).map(|capability| result(capabilities::keep(&capability).map(|()| Value::Null))).collect(),
            Step::Drop(place) => {
                capabilities::drop_held(capabilities::held().get(place).ok_or("nothing is held there")?);
                json!("dropped")
            }
            Step::Issue(params) => match capabilities::issue(&params) {
                Ok(capability) => {
                    let text = describe(&capability);
                    self.at_hand.push(capability);
                    json!({ "ok": text })
                }
                Err(error) => json!({"err": format!("{error:?}")}),
            },
            Step::Lend { target, held, read_only, body } => {
                let all = capabilities::held();
                let capability = all.get(held).ok_or("nothing is held there")?;
                let lent = match (read_only, capability.kind()) {
                    (true, CapabilityKind::Drive(grant)) => {
                        let less = DriveGrant { rights: transship_guest::bindings::transship::host::standard::Rights::READ, ..grant };
                        capability.restrict(&CapabilityKind::Drive(less)).map_err(|error| format!("{error:?}"))?
                    }
                    _ => capability.duplicate(),
                };
                self.lend(&target, lent, &body)?
            }
            Step::LendAtHand { target, place, body } => {
                let lent = self.at_hand.get(place).ok_or("nothing is at hand there")?.duplicate();
                self.lend(&target, lent, &body)?
            }
            Step::Revoke(place) => {
                let capability = self.at_hand.get(place).ok_or("nothing is at hand there")?;
                result(capabilities::revoke(capability).map(|()| Value::Null))
            }
            Step::Write { drive, path, text } => result(
                open_drive(&drive)
                    .and_then(|root| root.open_file(&path, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE))
                    .and_then(|file| file.write(0, text.as_bytes()))
                    .map(|()| Value::Null),
            ),
            Step::Queue { drive, path, count, bytes } => match open_drive(&drive) {
                Ok(root) => queue(&root, &path, count, bytes)?,
                Err(error) => json!({"err": format!("{error:?}")}),
            },
            Step::StartRename { drive, names } => {
                let names: Vec<_> = names.into_iter().map(|(old, new)| NewName { old, new, replace: false }).collect();
                result(open_drive(&drive).map(|root| root.start_rename_files(&names)))
            }
            Step::Read { drive, path } => result(
                open_drive(&drive)
                    .and_then(|root| root.open_file(&path, OpenFlags::READ))
                    .and_then(|file| file.read(0, 1 << 20))
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            ),
            Step::List { drive } => result(
                open_drive(&drive).and_then(|root| root.entries(None, 1000)).map(|page| page.entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()),
            ),
            Step::ReadLent { place, path } => {
                let capability = self.at_hand.get(place).ok_or("nothing is at hand there")?;
                let root = transship_guest::bindings::transship::host::vfs::open_capability(capability);
                result(
                    root.and_then(|root| root.open_file(&path, OpenFlags::READ))
                        .and_then(|file| file.read(0, 1 << 20))
                        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                )
            }
            Step::Set(text) => result(state::set(text.as_bytes()).map(|()| Value::Null)),
            Step::Get => result(state::get().map(|bytes| json!(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))),
            Step::Clear => result(state::clear().map(|()| Value::Null)),
            Step::Timer(milliseconds) => json!(timer::set(milliseconds)),
            Step::Digest { text, wait } => {
                let blob = Blob::from_bytes(text.as_bytes(), None).map_err(|error| format!("{error:?}"))?;
                if wait {
                    result(digests::digest(digests::Algorithm::Sha256, &blob).map(|bytes| transship_guest::hex::encode(&bytes)))
                } else {
                    json!(digests::start_digest(digests::Algorithm::Sha256, &blob))
                }
            }
            Step::Log { level, text, times } => {
                let level = match level.as_str() {
                    "trace" => log::Level::Trace,
                    "debug" => log::Level::Debug,
                    "warn" => log::Level::Warn,
                    "error" => log::Level::Error,
                    _ => log::Level::Info,
                };
                for _ in 0..times {
                    log::log(level, &text);
                }
                json!("logged")
            }
            Step::RightsOf { node, drive } => json!(format!("{:?}", peers::rights_of(&node, &drive))),
            Step::Peers => peers::list().into_iter().map(|peer| json!({"name": peer.name, "connected": peer.connected})).collect(),
            Step::Random(count) => json!(transship_guest::hex::encode(&timer::random(count))),
        };
        Ok(Done::Answer(answer))
    }

    fn lend(&self, target: &str, capability: Capability, body: &Value) -> Result<Value, String> {
        let sent = Request::to(&address(target)?).json(body).map_err(|error| error.to_string())?.lend(capability).timeout(5000).send_and_await();
        Ok(match sent {
            Ok(got) => json!({"ok": serde_json::from_slice(&got.response.body).unwrap_or(Value::Null)}),
            Err(error) => kind(&error.kind),
        })
    }
}

fn queue(root: &Directory, path: &str, count: u8, bytes: u32) -> Result<Value, String> {
    let said = |error: VfsError| format!("{error:?}");
    let file = root.open_file(path, OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE).map_err(said)?;
    let mut queued = Vec::new();
    for number in 0..count {
        let blob = Blob::from_bytes(&vec![b'a' + number; usize::try_from(bytes).unwrap_or_default()], None).map_err(|error| format!("{error:?}"))?;
        queued.push(result(file.queue_blob(u64::from(number) * u64::from(bytes), &blob).map(|()| Value::Null)));
    }
    let letters = |read: Result<Vec<u8>, VfsError>| {
        result(read.map(|read| {
            read.chunk_by(|one, other| one == other)
                .map(|run| json!([char::from(run.first().copied().unwrap_or_default()).to_string(), run.len()]))
                .collect::<Vec<_>>()
        }))
    };
    let asked = json!({
        "queued": queued,
        "length": result(file.length()),
        "read": letters(file.read(0, 16 << 20)),
        "modified": result(file.set_modified(0).map(|()| Value::Null)),
        "sync": result(file.sync().map(|()| Value::Null)),
    });
    drop(file);
    let others = root.open_file(path, OpenFlags::READ).and_then(|file| file.read(0, 16 << 20));
    Ok(json!({"asked": asked, "others": letters(others)}))
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error| format!("{error:?}"))
}
