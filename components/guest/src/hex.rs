//! Bytes as hexadecimal digits.
//!
//! ```
//! use transship_guest::hex;
//! assert_eq!(hex::encode(&[0, 255]), "00ff");
//! assert_eq!(hex::decode("00FF"), Some(vec![0, 255]));
//! ```

use std::fmt::Write as _;

/// Two lower-case digits for each byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of an even number of digits in either case. None: it is something else.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        assert_eq!(decode(""), Some(Vec::new()));
    }

    #[test]
    fn odd_lengths_and_other_characters_are_refused() {
        for text in ["0", "0g", "+1", " 1", "ää"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
