//! Digests of files that were computed already, as long as size and modification time say that the file is the same.

use std::collections::BTreeMap;

use file_transfer_types::manager::IdAlgorithm;

use crate::walk::Found;

/// So many are remembered: some 400 bytes each.
const MANY: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Digests(BTreeMap<(String, bool), (u64, i64, String)>);

impl Digests {
    /// The digest of a file, if it is known.
    pub(crate) fn get(&self, file: &Found, algorithm: IdAlgorithm) -> Option<&str> {
        let (size, modified, digest) = self.0.get(&(file.name.clone(), algorithm == IdAlgorithm::Md5))?;
        (*size == file.size && *modified == file.modified).then_some(digest)
    }

    /// Remembers a digest.
    pub(crate) fn put(&mut self, file: &Found, algorithm: IdAlgorithm, digest: String) {
        if self.0.len() >= MANY {
            // Forgetting costs time, never correctness.
            self.0.pop_first();
        }
        self.0.insert((file.name.clone(), algorithm == IdAlgorithm::Md5), (file.size, file.modified, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_the_file_as_it_was() {
        let file = Found { name: "a".into(), size: 1, modified: 2 };
        let mut digests = Digests::default();
        digests.put(&file, IdAlgorithm::Md5, "00".into());
        assert_eq!(digests.get(&file, IdAlgorithm::Md5), Some("00"));
        assert_eq!(digests.get(&file, IdAlgorithm::Sha256), None);
        assert_eq!(digests.get(&Found { size: 2, ..file.clone() }, IdAlgorithm::Md5), None);
        assert_eq!(digests.get(&Found { modified: 3, ..file }, IdAlgorithm::Md5), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut digests = Digests::default();
        for number in 0..MANY + 10 {
            digests.put(&Found { name: number.to_string(), size: 0, modified: 0 }, IdAlgorithm::Md5, String::new());
        }
        assert_eq!(digests.0.len(), MANY);
    }
}
