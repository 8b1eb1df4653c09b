//! Transfers that this process wants.

use file_transfer_types::types::{ConflictPolicy, DigestAlgorithm, TransferError, TransferOptions, TreeOptions};
use file_transfer_types::worker::{self, DownloadRequest, Location, UploadRequest};
use transship_guest::address::Address;
use transship_guest::capability::Capability;

/// All of them as the node chooses.
pub(crate) const DEFAULT: TransferOptions = TransferOptions {
    chunk_size: None,
    window: None,
    streams: None,
    conflict: None,
    digest: None,
    digest_first: None,
    by_id: None,
    timeout: None,
    retries: None,
    limit: None,
    tree: None,
};

/// A file to be fetched, by default into this process's drive `files` under the name that it has there.
///
/// ```no_run
/// use transship_file_transfer::{ConflictPolicy, Download, manager_of};
/// # fn example(our: transship_guest::address::Address) -> Result<(), transship_file_transfer::TransferError> {
/// let id = Download::of(&manager_of("bob"), "reports/may.pdf").to("files", "inbox/").conflict(ConflictPolicy::Rename).start(&our)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing moves before it is started"]
pub struct Download {
    provider: Address,
    name: String,
    local: Location,
    options: TransferOptions,
    grants: Vec<Capability>,
}

/// A file to be sent, by default out of this process's drive `files`, and under its own name.
///
/// ```no_run
/// use transship_file_transfer::{Upload, manager_of};
/// # fn example(our: transship_guest::address::Address) -> Result<(), transship_file_transfer::TransferError> {
/// let id = Upload::to(&manager_of("bob"), "photos/cat.jpg").from("files", "cat.jpg").start(&our)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing moves before it is started"]
pub struct Upload {
    receiver: Address,
    name: String,
    local: Location,
    options: TransferOptions,
    grants: Vec<Capability>,
}

/// What both have in common.
macro_rules! how {
    () => {
        /// What to do when the receiver has a file of that name; by default the transfer fails.
        pub fn conflict(mut self, policy: ConflictPolicy) -> Self {
            self.options.conflict = Some(policy);
            self
        }

        /// Over so many connections at the same time.
        pub fn streams(mut self, count: u8) -> Self {
            self.options.streams = Some(count);
            self
        }

        /// How to verify it.
        pub fn digest(mut self, algorithm: DigestAlgorithm) -> Self {
            self.options.digest = Some(algorithm);
            self
        }

        /// It is a folder with all that is in it, and this is how to go about that.
        pub fn tree(mut self, options: TreeOptions) -> Self {
            self.options.tree = Some(options);
            self
        }

        /// With these options instead of all that were given before.
        pub fn options(mut self, options: TransferOptions) -> Self {
            self.options = options;
            self
        }

        /// Gives the worker a capability: of a drive that was lent to this process, say.
        pub fn lend(mut self, capability: Capability) -> Self {
            self.grants.push(capability);
            self
        }
    };
}

impl Download {
    /// The file `name` of a process that serves files: the [manager](crate::manager_of) of a node, or any that answers a [`Wanted`](crate::Wanted).
    pub fn of(provider: &Address, name: &str) -> Self {
        let local = Location { drive: "files".into(), name: String::new() };
        Self { provider: provider.clone(), name: name.into(), local, options: DEFAULT, grants: Vec::new() }
    }

    /// Into this drive under this name. One that ends in `/` is a folder: the file keeps the last part of its name. With an empty one it keeps its name with the folders.
    pub fn to(mut self, drive: &str, name: &str) -> Self {
        self.local = Location { drive: drive.into(), name: name.into() };
        self
    }

    how!();

    /// Starts it and returns its id at once. [`Incoming::Progress`](crate::Incoming::Progress) tells how it goes and how it ends.
    ///
    /// # Errors
    /// What can be said at once: a name that can't be, a drive that this process does not hold.
    pub fn start(self, our: &Address) -> Result<String, TransferError> {
        worker::start_download_with(our, &self.request(), self.grants)
    }

    fn request(&self) -> DownloadRequest {
        DownloadRequest {
            name: self.name.clone(),
            target: self.provider.clone(),
            is_requestor: true,
            local: Some(self.local.clone()),
            slot: None,
            rivals: None,
            options: Some(self.options.clone()),
        }
    }
}

impl Upload {
    /// To a process that takes files, under this name there.
    pub fn to(receiver: &Address, name: &str) -> Self {
        let local = Location { drive: "files".into(), name: name.into() };
        Self { receiver: receiver.clone(), name: name.into(), local, options: DEFAULT, grants: Vec::new() }
    }

    /// Out of this drive, where it has this name.
    pub fn from(mut self, drive: &str, name: &str) -> Self {
        self.local = Location { drive: drive.into(), name: name.into() };
        self
    }

    how!();

    /// Starts it and returns its id at once. [`Incoming::Progress`](crate::Incoming::Progress) tells how it goes and how it ends.
    ///
    /// # Errors
    /// What can be said at once.
    pub fn start(self, our: &Address) -> Result<String, TransferError> {
        worker::start_upload(our, &self.request(), self.grants)
    }

    fn request(&self) -> UploadRequest {
        UploadRequest {
            name: self.name.clone(),
            target: self.receiver.clone(),
            is_requestor: true,
            local: Some(self.local.clone()),
            slot: None,
            rivals: None,
            size: None,
            options: Some(self.options.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_chosen_by_the_node_and_the_file_keeps_its_name() {
        let request = Download::of(&crate::manager_of("bob"), "a/b").request();
        assert_eq!(request.target.to_string(), "bob@manager:file-transfer:transship");
        assert_eq!((request.is_requestor, request.local), (true, Some(Location { drive: "files".into(), name: String::new() })));
        assert_eq!(request.options, Some(DEFAULT));
        assert_eq!(Upload::to(&crate::manager_of("bob"), "a/b").request().local.unwrap().name, "a/b");
    }

    #[test]
    fn what_is_wished_is_asked_for() {
        let request = Download::of(&crate::manager_of("bob"), "a/b").to("photos", "inbox/").conflict(ConflictPolicy::Rename).streams(2).request();
        assert_eq!(request.local, Some(Location { drive: "photos".into(), name: "inbox/".into() }));
        let options = request.options.unwrap();
        assert_eq!((options.conflict, options.streams, options.window), (Some(ConflictPolicy::Rename), Some(2), None));
    }
}
