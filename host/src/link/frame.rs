//! Frames over a byte stream.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::protocol::{Frame, Violation};

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The stream failed or ended within a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side broke a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Reads one frame of at most `max` bytes; none at the end of the stream. `heard` is called whenever bytes came. The length is checked before memory is reserved.
pub(super) async fn read_frame<R: AsyncRead + Unpin>(reader: &mut R, max: usize, heard: impl Fn()) -> Result<Option<Frame>, ReadError> {
    let mut length = [0; 4];
    let first = reader.read(&mut length).await?;
    if first == 0 {
        return Ok(None);
    }
    if let Some(rest) = length.get_mut(first..) {
        reader.read_exact(rest).await?;
    }
    heard();
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 || length > max {
        return Err(Violation(format!("a frame of {length} bytes; 1 to {max} are allowed")).into());
    }
    let bytes = read_bytes(reader, length, heard).await?;
    Ok(Some(Frame::decode(bytes)?))
}

/// Reads exactly `length` bytes into new memory, without clearing it first.
pub(super) async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R, length: usize, heard: impl Fn()) -> io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(length);
    read_into(reader, &mut bytes, length, heard).await?;
    Ok(bytes.freeze())
}

/// Appends exactly `length` bytes to `bytes`, which has room for them.
pub(super) async fn read_into<R: AsyncRead + Unpin>(reader: &mut R, bytes: &mut impl BufMut, length: usize, heard: impl Fn()) -> io::Result<()> {
    let mut rest = length as u64;
    let mut limited = reader.take(rest);
    while rest > 0 {
        let count = limited.read_buf(bytes).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest -= count as u64;
        heard();
    }
    Ok(())
}

/// Writes one frame and flushes.
pub(super) async fn write_frame<W: AsyncWrite + Unpin>(writer: &mut W, frame: &Frame) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes).map_err(io::Error::other)?;
    writer.write_all(&bytes).await?;
    writer.flush().await
}

/// Writes a short `head` and then `data`, together if the stream takes them so (one TLS record instead of two).
pub(super) async fn write_both<W: AsyncWrite + Unpin>(writer: &mut W, mut head: &[u8], mut data: &[u8]) -> io::Result<()> {
    while !head.is_empty() {
        let count = writer.write_vectored(&[io::IoSlice::new(head), io::IoSlice::new(data)]).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = count.min(head.len());
        head = head.get(of_head..).unwrap_or_default();
        data = data.get(count - of_head..).unwrap_or_default();
    }
    writer.write_all(data).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::protocol::MAX_FRAME;

    #[tokio::test]
    async fn frames_arrive_whole_however_the_stream_cuts_them() {
        let (mut near, mut far) = tokio::io::duplex(3);
        let writer = tokio::spawn(async move {
            for number in 0..100 {
                write_frame(&mut near, &Frame::Ping(number)).await.unwrap();
            }
        });
        for number in 0..100 {
            let frame = read_frame(&mut far, MAX_FRAME, || ()).await.unwrap();
            assert!(matches!(frame, Some(Frame::Ping(n)) if n == number));
        }
        writer.await.unwrap();
        assert!(read_frame(&mut far, MAX_FRAME, || ()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_length_out_of_bounds_is_refused_before_anything_is_read() {
        for length in [0, MAX_FRAME as u32 + 1, u32::MAX] {
            let bytes = length.to_le_bytes();
            let error = read_frame(&mut bytes.as_slice(), MAX_FRAME, || ()).await.unwrap_err();
            assert!(matches!(error, ReadError::Violation(_)), "{length}: {error}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_within_a_frame_is_an_error() {
        let mut bytes = BytesMut::new();
        Frame::Ping(700).encode(&mut bytes).unwrap();
        for end in 1..bytes.len() {
            let error = read_frame(&mut &bytes[..end], MAX_FRAME, || ()).await.unwrap_err();
            assert!(matches!(error, ReadError::Io(_)), "{end}: {error}");
        }
    }

    #[tokio::test]
    async fn head_and_data_arrive_in_order_through_a_narrow_stream() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let data: Vec<u8> = (0..=255).collect();
        let sent = data.clone();
        let writer = tokio::spawn(async move { write_both(&mut near, b"head of it", &sent).await.unwrap() });
        let bytes = read_bytes(&mut far, 266, || ()).await.unwrap();
        writer.await.unwrap();
        assert_eq!(bytes, [b"head of it".as_slice(), &data].concat());
    }
}
