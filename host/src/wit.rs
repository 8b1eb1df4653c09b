//! What a node offers to processes, as WIT text: the files of `wit/host`.
//!
//! The program carries them, so that it can say why a component does not fit, and give them to those who build components.

use std::sync::OnceLock;

use transship_package::fit::{Offer, OfferError};

/// The folder that the files go to where WIT packages are kept by name.
pub const FOLDER: &str = "transship-host";
/// The world of a process.
pub const WORLD: &str = "process";

/// The files of the WIT package `transship:host`: name and text.
pub const FILES: &[(&str, &str)] = &[
    ("blobs.wit", include_str!("../../wit/host/blobs.wit")),
    ("capabilities.wit", include_str!("../../wit/host/capabilities.wit")),
    ("digests.wit", include_str!("../../wit/host/digests.wit")),
    ("log.wit", include_str!("../../wit/host/log.wit")),
    ("messaging.wit", include_str!("../../wit/host/messaging.wit")),
    ("peers.wit", include_str!("../../wit/host/peers.wit")),
    ("processes.wit", include_str!("../../wit/host/processes.wit")),
    ("standard.wit", include_str!("../../wit/host/standard.wit")),
    ("state.wit", include_str!("../../wit/host/state.wit")),
    ("timer.wit", include_str!("../../wit/host/timer.wit")),
    ("vfs.wit", include_str!("../../wit/host/vfs.wit")),
    ("world.wit", include_str!("../../wit/host/world.wit")),
];

/// What components are compared with.
pub(crate) fn offer() -> Result<&'static Offer, &'static OfferError> {
    static OFFER: OnceLock<Result<Offer, OfferError>> = OnceLock::new();
    OFFER.get_or_init(|| Offer::new(FILES.iter().copied(), WORLD)).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_there_and_make_an_offer() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/host");
        let mut there: Vec<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        assert_eq!(FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), there);
        assert!(offer().unwrap().interfaces().iter().any(|interface| interface.starts_with("transship:host/vfs@")));
    }
}
