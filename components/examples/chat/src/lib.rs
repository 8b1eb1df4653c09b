//! A chat: nodes send each other messages, and attach files to them.
//!
//! What the owner of a node sends to this process, `main:chat:examples`:
//!
//! ```text
//! {"send": {"to": "bob", "text": "look at this", "attach": "cat.jpg"}}    cat.jpg is in the chat's own drive; "attach" may be left out
//! {"read": {"with": "bob"}}                                               the conversation, and how many bytes of each attachment have moved
//! ```
//! The idea to look at: a message is small and sent as a request. An attachment may be of any size, so only its name travels with the message, and whoever receives it fetches the
//! file with the functions of the package file-transfer, which are composed into this component. The worker that does so runs as a child of this process, in its drive, and
//! tells it how far it is. On the other side this same process serves the file: to the node that it was meant for, and to nobody else.
//!
//! - this file: who may ask what, and what comes of it
//! - [`conversation`]: what is known and kept

mod conversation;

use std::collections::BTreeMap;
use std::io;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use transship_file_transfer::{ConflictPolicy, Download, Incoming, Progress, TransferError, Wanted, describe};
use transship_guest::message::{FailedRequest, ReceivedRequest, ReceivedResponse};
use transship_guest::prelude::*;
use transship_guest::{ask, keep, timer};

use conversation::{Attachment, Conversation, Message, State};

transship_guest::process!(init);

/// The drive of this package, as `package.toml` names it.
const DRIVE: &str = "files";
/// The most bytes in the text of a message: who has more to say attaches it.
const MOST_TEXT: usize = 4_096;

/// What this process can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    /// By the owner: send a message.
    Send { to: String, text: String, attach: Option<String> },
    /// By the owner: show a conversation.
    Read { with: String },
    /// By the chat of another node: a message from there.
    Say { text: String, attached: Option<String> },
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// The number of the message in the conversation.
    Sent(u64),
    Conversation(Vec<Message>),
    Said,
}

struct Chat {
    our: Address,
    files: Directory,
    conversation: Conversation,
    /// The transfers under way, by their ids: the number of the message that each belongs to.
    transfers: BTreeMap<String, u64>,
}

fn init(our: Address) -> Result<(), String> {
    let files = open_drive(DRIVE).map_err(|error| io::Error::from(error).to_string())?;
    // What was said before the node was restarted.
    let conversation: Conversation = keep::load().map_err(|error| error.to_string())?.unwrap_or_default();
    let mut chat = Chat { our, files, conversation, transfers: BTreeMap::new() };
    // Workers ended with the process that started them. To ask again is to go on where they stopped.
    for number in chat.conversation.unfinished() {
        chat.fetch(number);
    }
    serve(chat)
}

impl Service for Chat {
    type Request = Question;
    type Answer = Answer;
    type Error = String;

    fn request(&mut self, question: Question, asked: &mut Asked) -> Result<Answer, String> {
        // The node vouches for the source of a request: nobody else can say that they are bob.
        let source = asked.source().clone();
        let is_owner = source.node == self.our.node;
        match question {
            Question::Say { text, attached } if source.process == self.our.process => self.hear(source.node, text, attached),
            Question::Send { to, text, attach } if is_owner => self.send(to, text, attach),
            Question::Read { with } if is_owner => Ok(Answer::Conversation(self.conversation.with(&with))),
            _ => Err(format!("{source} may not ask that of {}", self.our)),
        }
    }

    /// Sees every request first: what has to do with transfers is not a `Question`.
    fn look(&mut self, received: ReceivedRequest) -> Option<ReceivedRequest> {
        match Incoming::of(&self.our, received) {
            Incoming::Progress(progress) => self.progress(&progress),
            Incoming::Wanted(wanted) => self.give(wanted),
            // Nobody sends a file that was not asked for: dropping the offer refuses it.
            Incoming::Offered(_) | Incoming::Done => {}
            Incoming::Other(received) => return Some(received),
        }
        None
    }

    /// The other chat has answered: with an error, perhaps.
    fn response(&mut self, received: ReceivedResponse) {
        if let Err(error) = received.answer::<IgnoredAny>() {
            self.not_said(received.context.as_deref(), error.to_string());
        }
    }

    /// The other chat could not be reached.
    fn send_error(&mut self, failed: FailedRequest) {
        self.not_said(failed.context.as_deref(), ask::describe(&failed.kind));
    }
}

impl Chat {
    /// Sends a message to the chat of another node.
    fn send(&mut self, to: String, text: String, attach: Option<String>) -> Result<Answer, String> {
        check(&text)?;
        let attachment = attach.as_ref().map(|name| self.attachment(name)).transpose()?;
        let request = Request::to(&Address::new(&to, self.our.process.clone()));
        let request = request.json(&Question::Say { text: text.clone(), attached: attach }).map_err(|error| error.to_string())?;
        let number = self.conversation.add(Message { with: to, text, at: timer::unix_milliseconds(), attachment, ..Message::default() });
        self.keep();
        // Not waited for: two chats that waited for each other would both wait in vain. The number comes back with the answer.
        match request.timeout(30_000).context(number.to_string().into_bytes()).send() {
            Ok(()) => Ok(Answer::Sent(number)),
            Err(error) => {
                let why = ask::describe(&error.kind);
                self.not_said(error.context.as_deref(), why.clone());
                Err(why)
            }
        }
    }

    /// A file of the drive, to go with a message.
    fn attachment(&self, name: &str) -> Result<Attachment, String> {
        let found = self.files.metadata(name).map_err(|error| io::Error::from(error).to_string())?;
        if found.is_file() { Ok(Attachment::new(name.into(), Some(found.size))) } else { Err(format!("{name} is no file")) }
    }

    /// Whoever was to get a message did not.
    fn not_said(&mut self, number: Option<&[u8]>, why: String) {
        let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        if let Some(message) = number.and_then(|number| self.conversation.get_mut(number)) {
            warn!("message {} did not reach {}: {why}", message.number, message.with);
            message.failed = Some(why);
            self.keep();
        }
    }

    /// Takes a message from the chat of another node, and begins to fetch what is attached.
    fn hear(&mut self, from: String, text: String, attached: Option<String>) -> Result<Answer, String> {
        check(&text)?;
        info!("{from}: {text}");
        let attachment = attached.map(|name| Attachment::new(name, None));
        let number = self.conversation.add(Message { with: from, received: true, text, at: timer::unix_milliseconds(), attachment, ..Message::default() });
        self.keep();
        self.fetch(number);
        Ok(Answer::Said)
    }

    /// Begins to fetch the attachment of a message, if it has one: into the folder of the sender's name, with what is there already.
    fn fetch(&mut self, number: u64) {
        let Some(message) = self.conversation.get_mut(number) else { return };
        let Some(attachment) = &mut message.attachment else { return };
        let sender = Address::new(&message.with, self.our.process.clone());
        let download = Download::of(&sender, &attachment.name).to(DRIVE, &format!("{}/", message.with)).conflict(ConflictPolicy::Rename);
        match download.start(&self.our) {
            Ok(id) => {
                attachment.state = State::UnderWay;
                self.transfers.insert(id, number);
            }
            Err(error) => {
                attachment.state = State::Failed(describe(&error));
                self.keep();
            }
        }
    }

    /// The worker of another chat wants a file. It gets it if it was attached to a message to that node.
    fn give(&mut self, wanted: Wanted) {
        let (name, node) = (wanted.name().to_owned(), wanted.asker().node.clone());
        let Some(number) = self.conversation.gives(&name, &node) else {
            return wanted.refuse(TransferError::Denied(format!("{name} was not attached to a message to {node}")));
        };
        // The sender hears of the progress too. If it can't be sent, the other side was told why.
        if let Ok(id) = wanted.send(&self.our, DRIVE, &name) {
            self.transfers.insert(id, number);
        }
    }

    /// A worker of ours, on either side, tells how far it is.
    fn progress(&mut self, progress: &Progress) {
        let Some(number) = self.transfers.get(&progress.id) else { return };
        let Some(attachment) = self.conversation.get_mut(*number).and_then(|message| message.attachment.as_mut()) else { return };
        attachment.bytes_done = progress.bytes_done;
        attachment.bytes_total = progress.bytes_total.or(attachment.bytes_total);
        if let Some(end) = progress.end() {
            attachment.state = match end {
                Ok(summary) => State::Done(summary.name.clone()),
                Err(error) => State::Failed(describe(error)),
            };
            // The node tells of the worker's end once more; then nobody knows the id.
            self.transfers.remove(&progress.id);
            self.keep();
        }
    }

    /// Puts all that was said on the disk. Bytes on their way are not worth it: what has arrived is known to the next worker.
    fn keep(&self) {
        if let Err(error) = keep::save(&self.conversation) {
            error!("the conversation is not kept: {error}");
        }
    }
}

fn check(text: &str) -> Result<(), String> {
    if text.len() > MOST_TEXT { Err(format!("the text has {} bytes: at most {MOST_TEXT}, attach the rest", text.len())) } else { Ok(()) }
}
