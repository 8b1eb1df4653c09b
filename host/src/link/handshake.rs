//! The greeting that follows TLS: hello from who opened the connection, welcome or goodbye from the other side. Works on any byte stream.

use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{ReadError, read_frame, write_frame};
use super::protocol::{Code, Frame, Goodbye, Hello, MAX_GREETING, VERSION, Welcome};

/// Why a greeting came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum GreetingError {
    /// The stream failed, or the other side broke a rule.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The stream could not be written to.
    #[error(transparent)]
    Write(std::io::Error),
    /// The other side closed without a word.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The other side refused.
    #[error("{}", .0.text)]
    Goodbye(Goodbye),
    /// Something else came.
    #[error("it sent {0} where a greeting was due")]
    Unexpected(&'static str),
    /// The version is not spoken here.
    #[error("it speaks version {0} of the protocol; this node speaks {VERSION}")]
    Version(u16),
}

/// The dialler's part.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, hello: Hello) -> Result<Welcome, GreetingError> {
    // Even if this fails there may be an answer: TLS's alert for a key that is not a peer's comes now.
    let written = write_frame(stream, &Frame::Hello(hello)).await;
    match (read_frame(stream, MAX_GREETING, || ()).await, written) {
        (Ok(Some(Frame::Welcome(welcome))), _) if welcome.version == VERSION => Ok(welcome),
        (Ok(Some(Frame::Welcome(welcome))), _) => Err(GreetingError::Version(welcome.version)),
        (Ok(Some(Frame::Goodbye(goodbye))), _) => Err(GreetingError::Goodbye(goodbye)),
        (Ok(Some(other)), _) => Err(GreetingError::Unexpected(other.name())),
        (Ok(None), Ok(())) => Err(GreetingError::Closed),
        (Ok(None), Err(error)) => Err(GreetingError::Write(error)),
        (Err(error), _) => Err(error.into()),
    }
}

/// The listener's part, first half: what does the other side want? If it speaks another version, it has been told when this returns.
pub(super) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<Hello, GreetingError> {
    match read_frame(stream, MAX_GREETING, || ()).await? {
        Some(Frame::Hello(hello)) if hello.version == VERSION => Ok(hello),
        Some(Frame::Hello(hello)) => {
            let text = format!("version {} is not spoken here; this node speaks {VERSION}: the older of both must be updated", hello.version);
            refuse(stream, Code::Version, text).await?;
            Err(GreetingError::Version(hello.version))
        }
        Some(other) => Err(GreetingError::Unexpected(other.name())),
        None => Err(GreetingError::Closed),
    }
}

/// The listener's part, second half.
pub(super) async fn welcome<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, welcome: Welcome) -> Result<(), GreetingError> {
    write_frame(stream, &Frame::Welcome(welcome)).await.map_err(GreetingError::Write)
}

/// The listener's other second half.
pub(super) async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, code: Code, text: String) -> Result<(), GreetingError> {
    write_frame(stream, &Frame::Goodbye(Goodbye { code, text })).await.map_err(GreetingError::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u16) -> Hello {
        Hello { version, instance: 1, lane: None }
    }

    #[tokio::test]
    async fn who_says_hello_is_welcomed() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let there = tokio::spawn(async move {
            let heard = hear(&mut far).await.unwrap();
            welcome(&mut far, Welcome { version: VERSION, instance: 2, token: [3; 16] }).await.unwrap();
            heard
        });
        let answer = greet(&mut near, hello(VERSION)).await.unwrap();
        assert_eq!((answer.instance, answer.token), (2, [3; 16]));
        assert_eq!(there.await.unwrap(), hello(VERSION));
    }

    #[tokio::test]
    async fn another_version_is_told_so() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let there = tokio::spawn(async move { hear(&mut far).await });
        let error = greet(&mut near, hello(9)).await.unwrap_err();
        assert!(matches!(&error, GreetingError::Goodbye(Goodbye { code: Code::Version, .. })) && error.to_string().contains("updated"), "{error}");
        assert!(matches!(there.await.unwrap(), Err(GreetingError::Version(9))));
    }

    #[tokio::test]
    async fn a_refusal_and_a_silent_end_reach_the_dialler() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let there = tokio::spawn(async move {
            hear(&mut far).await.unwrap();
            refuse(&mut far, Code::TooMany, "enough".into()).await.unwrap();
        });
        assert_eq!(greet(&mut near, hello(VERSION)).await.unwrap_err().to_string(), "enough");
        there.await.unwrap();
        let (mut near, mut far) = tokio::io::duplex(1024);
        let there = tokio::spawn(async move { hear(&mut far).await.map(|_| ()) });
        assert!(matches!(greet(&mut near, hello(VERSION)).await.unwrap_err(), GreetingError::Closed));
        there.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn before_the_greeting_nothing_else_and_nothing_long_is_read() {
        for bytes in [&[9, 0, 0, 0, 0x30, 1, 1, 1, 1, 1, 1, 1, 1][..], &[0x01, 0x04, 0, 0, 1], &[2, 0, 0, 0, 0x30, 1]] {
            let (mut near, mut far) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut near, bytes).await.unwrap();
            assert!(hear(&mut far).await.is_err(), "{bytes:?}");
        }
    }
}
