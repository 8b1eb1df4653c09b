//! Asking another process, with values instead of bytes.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use transship_guest::prelude::*;
//!
//! #[derive(Serialize)]
//! #[serde(rename_all = "kebab-case")]
//! enum Question { Add(i64, i64) }
//!
//! let sums: Address = "bob@main:sums:ann".parse()?;
//! let sum: i64 = ask(&sums, &Question::Add(2, 2))?;
//!
//! // The same with more patience, and a blob.
//! let page = Blob::text("2 + 2", "text/plain")?;
//! let sum: i64 = Request::to(&sums).json(&Question::Add(2, 2))?.blob(page).timeout(60_000).ask()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! The other side fails a request by answering with an object that has the one key `error`: [`serve`](crate::serve) does that, and so does the file-transfer package.
//! Here it becomes [`AskError::Refused`].

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::address::Address;
use crate::message::{ReceivedResponse, Request, SendError, SendErrorKind};

/// Why there is no answer, or not the one that was expected.
#[derive(Debug)]
pub enum AskError {
    /// The request has no JSON form.
    Request(serde_json::Error),
    /// It could not be sent, or nobody answered in time.
    Send(SendError),
    /// The other side answered with an error: this is what stood under `error`.
    Refused(Value),
    /// The answer is of another shape.
    Answer(serde_json::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "the request has no JSON form: {error}"),
            Self::Send(error) => write!(f, "{}: {}", error.target, describe(&error.kind)),
            Self::Refused(Value::String(text)) => f.write_str(text),
            Self::Refused(value) => write!(f, "refused: {value}"),
            Self::Answer(error) => write!(f, "the answer is not the expected one: {error}"),
        }
    }
}

impl std::error::Error for AskError {}

/// Why a request failed, in words.
#[must_use]
pub fn describe(kind: &SendErrorKind) -> String {
    match kind {
        SendErrorKind::Offline(text) if text.is_empty() => "the node can't be reached".into(),
        SendErrorKind::Offline(text) => format!("the node can't be reached: {text}"),
        SendErrorKind::Timeout => "no answer in time".into(),
        SendErrorKind::NoSuchProcess => "the node has no such process".into(),
        SendErrorKind::Denied(text) => format!("denied: {text}"),
        SendErrorKind::TooLarge(text) => format!("too large: {text}"),
        SendErrorKind::UnknownNode => "the node is not among the peers".into(),
    }
}

/// Asks a process and waits up to 30 s for its answer, leaving other messages in the mailbox. Two processes that ask each other like this at the same time
/// both wait in vain: send without waiting ([`Request::send`]) where that can happen.
///
/// # Errors
/// See [`AskError`].
pub fn ask<T: DeserializeOwned>(target: &Address, question: &(impl Serialize + ?Sized)) -> Result<T, AskError> {
    Request::to(target).json(question).map_err(AskError::Request)?.ask()
}

impl Request {
    /// Sends it, waits for the response as [`send_and_await`](Self::send_and_await) does, and reads the answer.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask<T: DeserializeOwned>(self) -> Result<T, AskError> {
        self.send_and_await().map_err(AskError::Send)?.answer()
    }
}

impl ReceivedResponse {
    /// The answer as a value, or what the other side says is wrong.
    ///
    /// # Errors
    /// [`AskError::Refused`] and [`AskError::Answer`].
    pub fn answer<T: DeserializeOwned>(&self) -> Result<T, AskError> {
        read(&self.response.body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AskError> {
    if let Ok(Value::Object(mut object)) = serde_json::from_slice(body)
        && object.len() == 1
        && let Some(error) = object.remove("error")
    {
        return Err(AskError::Refused(error));
    }
    serde_json::from_slice(body).map_err(AskError::Answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_value_and_an_error_is_told_as_one() {
        assert_eq!(read::<u32>(b"4").unwrap(), 4);
        let refused = read::<u32>(br#"{"error": "there is no such thing"}"#).unwrap_err();
        assert_eq!(refused.to_string(), "there is no such thing");
        let refused = read::<Value>(br#"{"error": {"denied": "files"}}"#).unwrap_err();
        assert_eq!(refused.to_string(), r#"refused: {"denied":"files"}"#);
    }

    #[test]
    fn an_answer_that_only_speaks_of_errors_is_an_answer() {
        let value = serde_json::json!({"error": "late", "done": 3});
        assert_eq!(read::<Value>(value.to_string().as_bytes()).unwrap(), value);
    }

    #[test]
    fn an_answer_of_another_shape_is_told_as_such() {
        let error = read::<u32>(b"\"four\"").unwrap_err().to_string();
        assert!(error.starts_with("the answer is not the expected one: invalid type"), "{error}");
    }
}
