//! Files to move, and whether they arrived.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Hexadecimal SHA-256 of a file.
pub fn sha256_hex(path: &Path) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            return data_encoding::HEXLOWER.encode(context.finish().as_ref());
        }
        context.update(&buffer[..count]);
    }
}

/// Hexadecimal SHA-256 of bytes.
pub fn sha256_of(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

/// Hexadecimal BLAKE3 of bytes.
pub fn blake3_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Writes bytes that look random and are the same for the same seed.
pub fn write_random(file: &mut impl Write, length: u64, seed: u64) {
    // xorshift64*, as in Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut buffer = vec![0; 1 << 16];
    let mut left = length;
    while left > 0 {
        for word in buffer.chunks_exact_mut(8) {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            word.copy_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        file.write_all(&buffer[..count]).unwrap();
        left -= count as u64;
    }
}

/// Such bytes.
pub fn random_bytes(length: u64, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_random(&mut bytes, length, seed);
    bytes
}

/// Makes a file of such bytes.
pub fn random_file(path: &Path, length: u64) {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).unwrap();
    }
    let mut file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    write_random(&mut file, length, length + 1);
}

/// Makes a file of zeros that takes no room on the disk, with a few bytes at both ends.
pub fn sparse_file(path: &Path, length: u64) {
    use std::os::unix::fs::FileExt;
    let file = File::create(path).unwrap();
    file.set_len(length).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"end", length - 3).unwrap();
}

/// Why two files are not identical; none if they are.
pub fn differ(one: &Path, other: &Path) -> Option<String> {
    let open = |path: &Path| File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))).map_err(|error| format!("{}: {error}", path.display()));
    let ((a, mut left), (b, mut right)) = match (open(one), open(other)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(error), _) | (_, Err(error)) => return Some(error),
    };
    if a != b {
        return Some(format!("{} has {a} bytes, {} has {b}", one.display(), other.display()));
    }
    let (mut from, mut to) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    while at < a {
        let count = usize::try_from(a - at).unwrap_or(usize::MAX).min(from.len());
        left.read_exact(&mut from[..count]).unwrap();
        right.read_exact(&mut to[..count]).unwrap();
        if from[..count] != to[..count] {
            return Some(format!("same length, other bytes between {at} and {}", at + count as u64));
        }
        at += count as u64;
    }
    None
}
