//! What was said, and how far the attachments are. It is kept and shown as the same JSON.

use serde::{Deserialize, Serialize};

/// As many messages are kept; the oldest go first.
const MOST: usize = 1_000;

/// All messages, in the order in which they came.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Conversation {
    /// The number of the last one.
    last: u64,
    messages: Vec<Message>,
}

/// A message, sent or received.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Message {
    /// Its number on this node.
    pub(crate) number: u64,
    /// The other node.
    pub(crate) with: String,
    /// Whether it came from there.
    pub(crate) received: bool,
    pub(crate) text: String,
    /// Milliseconds since 1970, by this node's clock.
    pub(crate) at: u64,
    pub(crate) attachment: Option<Attachment>,
    /// Of one that was sent: why it did not arrive.
    pub(crate) failed: Option<String>,
}

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attachment {
    /// Its name in the sender's drive: that is how the receiver asks for it.
    pub(crate) name: String,
    /// How many bytes the receiver has on its disk.
    pub(crate) bytes_done: u64,
    /// How many there are, once that is known.
    pub(crate) bytes_total: Option<u64>,
    pub(crate) state: State,
}

/// How far an attachment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It moves, or is going to.
    UnderWay,
    /// The receiver has all of it, verified, under this name in its drive.
    Done(String),
    /// It failed, and why.
    Failed(String),
}

impl Attachment {
    pub(crate) fn new(name: String, bytes_total: Option<u64>) -> Self {
        Self { name, bytes_done: 0, bytes_total, state: State::UnderWay }
    }
}

impl Conversation {
    /// Adds a message and returns its number.
    pub(crate) fn add(&mut self, message: Message) -> u64 {
        self.last += 1;
        self.messages.push(Message { number: self.last, ..message });
        let surplus = self.messages.len().saturating_sub(MOST);
        self.messages.drain(..surplus);
        self.last
    }

    /// All messages from and to a node, the oldest first.
    pub(crate) fn with(&self, node: &str) -> Vec<Message> {
        self.messages.iter().filter(|message| message.with == node).cloned().collect()
    }

    /// A message by its number. None: it was too old to be kept.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.number == number)
    }

    /// The message by which this file was given to that node. None: it is not for that node.
    pub(crate) fn gives(&self, name: &str, node: &str) -> Option<u64> {
        let given = |message: &&Message| !message.received && message.with == node && message.attachment.as_ref().is_some_and(|file| file.name == name);
        self.messages.iter().rfind(given).map(|message| message.number)
    }

    /// Received messages whose attachment is not here.
    pub(crate) fn unfinished(&self) -> Vec<u64> {
        let lacks = |message: &&Message| message.received && message.attachment.as_ref().is_some_and(|file| !matches!(file.state, State::Done(_)));
        self.messages.iter().filter(lacks).map(|message| message.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(with: &str, received: bool, file: Option<&str>) -> Message {
        let attachment = file.map(|name| Attachment::new(name.into(), None));
        Message { with: with.into(), received, attachment, ..Message::default() }
    }

    #[test]
    fn a_file_is_for_the_node_that_it_was_sent_to_and_for_nobody_else() {
        let mut conversation = Conversation::default();
        let number = conversation.add(message("bob", false, Some("cat.jpg")));
        conversation.add(message("bob", true, Some("dog.jpg")));
        assert_eq!(conversation.gives("cat.jpg", "bob"), Some(number));
        for (name, node) in [("cat.jpg", "eve"), ("dog.jpg", "bob"), ("other.jpg", "bob")] {
            assert_eq!(conversation.gives(name, node), None, "{name} {node}");
        }
    }

    #[test]
    fn what_was_not_fetched_is_known_after_a_restart() {
        let mut conversation = Conversation::default();
        let number = conversation.add(message("bob", true, Some("cat.jpg")));
        conversation.add(message("bob", true, None));
        conversation.add(message("bob", false, Some("dog.jpg")));
        let kept = serde_json::to_string(&conversation).unwrap();
        let mut conversation: Conversation = serde_json::from_str(&kept).unwrap();
        assert_eq!(conversation.unfinished(), [number]);
        conversation.get_mut(number).unwrap().attachment.as_mut().unwrap().state = State::Done("bob/cat.jpg".into());
        assert!(conversation.unfinished().is_empty());
        assert_eq!(conversation.add(message("eve", true, None)), 4, "numbers go on");
    }

    #[test]
    fn the_oldest_messages_go_first() {
        let mut conversation = Conversation::default();
        for _ in 0..MOST + 5 {
            conversation.add(message("bob", true, None));
        }
        assert_eq!(conversation.with("bob").len(), MOST);
        assert!(conversation.get_mut(5).is_none() && conversation.get_mut(6).is_some());
    }
}
