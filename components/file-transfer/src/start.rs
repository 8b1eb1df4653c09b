//! `get` and `put`: this node's owner, or a process of this node, wants a file moved.

use file_transfer_types::manager::{GetRequest, Place, PutRequest, Response as Answer};
use file_transfer_types::names;
use file_transfer_types::options::Settings;
use file_transfer_types::types::TransferError;
use file_transfer_types::worker::{DownloadRequest, Location, UploadRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::capabilities::keep;
use transship_guest::message::{Capability, CapabilityKind, ReceivedRequest};

use crate::jobs::algorithm_of;
use crate::manager::{Handled, Manager};
use crate::queue::Wanted;
use crate::rights::{self, DRIVE};
use crate::transfers::{Lent, Transfer};

impl Manager {
    /// `get`: starts the worker that fetches a file.
    pub(crate) fn get(&mut self, received: &mut ReceivedRequest, get: GetRequest) -> Result<Handled, TransferError> {
        self.check_command(received, &get.node)?;
        let settings = Settings::new(get.options.as_ref())?;
        let (drive, lent) = self.drive_of(received, &get.to)?;
        let name = if settings.tree.is_some() {
            names::check_folder(&get.name)?;
            // A tree comes into its own folder, or into the one that is named, and not beside it.
            get.to.name.clone().unwrap_or_else(|| if lent.is_some() { String::new() } else { get.name.clone() })
        } else {
            if settings.by_id { algorithm_of(&get.name).map(drop) } else { names::check(&get.name) }?;
            target(&get.to, lent.is_some())
        };
        let local = Location { drive, name };
        let request = DownloadRequest {
            name: get.name.clone(),
            target: self.manager_of(&get.node),
            is_requestor: true,
            local: Some(local),
            slot: None,
            rivals: None,
            options: get.options,
        };
        let transfer = Transfer::commanded(get.node, get.name, true, received.source.clone(), lent);
        Ok(Handled::Answer(Answer::Started(self.begin_own(transfer, Wanted::Download(request))?)))
    }

    /// `put`: starts the worker that offers a file.
    pub(crate) fn put(&mut self, received: &mut ReceivedRequest, put: PutRequest) -> Result<Handled, TransferError> {
        self.check_command(received, &put.node)?;
        let settings = Settings::new(put.options.as_ref())?;
        let Some(path) = put.from.name.clone() else {
            return Err(TransferError::InvalidRequest("from.name is missing: which file".into()));
        };
        let name = if settings.tree.is_some() {
            names::check_folder(&path)?;
            names::check_folder(&put.name)?.to_owned()
        } else {
            names::check(&path)?;
            let name = if put.name.is_empty() { names::last_part(&path).to_owned() } else { names::complete(&put.name, &path) };
            names::check(&name)?;
            name
        };
        let (drive, lent) = self.drive_of(received, &put.from)?;
        let request = UploadRequest {
            name: name.clone(),
            target: self.manager_of(&put.node),
            is_requestor: true,
            local: Some(Location { drive, name: path }),
            slot: None,
            rivals: None,
            size: None,
            options: put.options,
        };
        let transfer = Transfer::commanded(put.node, name, false, received.source.clone(), lent);
        Ok(Handled::Answer(Answer::Started(self.begin_own(transfer, Wanted::Upload(request))?)))
    }

    fn check_command(&self, received: &ReceivedRequest, node: &str) -> Result<(), TransferError> {
        rights::check_local(&self.our, received)?;
        rights::check_known(&self.our, node)
    }

    /// The manager of a node: the process of this one's name there.
    fn manager_of(&self, node: &str) -> Address {
        Address::new(node, self.our.process.clone())
    }

    /// The drive of a place, and the capability that came for it, if it is not our own.
    fn drive_of(&self, received: &mut ReceivedRequest, place: &Place) -> Result<(String, Option<Lent>), TransferError> {
        let own = format!("{}:{}/{DRIVE}", self.our.process.package_name, self.our.process.publisher_node);
        let Some(drive) = place.drive.clone().filter(|drive| *drive != own && drive != DRIVE) else { return Ok((own, None)) };
        let fits = |capability: &Capability| matches!(capability.kind(), CapabilityKind::Drive(grant) if grant.drive == drive);
        let capabilities = std::mem::take(&mut received.request.capabilities);
        let Some(capability) = capabilities.into_iter().find(fits) else {
            return Err(TransferError::Denied(format!("the drive {drive} must be lent: attach a capability for it to the request")));
        };
        // What is granted to a worker must be held; it is given up when the transfer has ended.
        keep(&capability).map_err(|error| TransferError::Failed(format!("the drive {drive} can't be borrowed: {error:?}")))?;
        Ok((drive, Some(Lent::new(capability))))
    }
}

/// Where a fetched file goes: in our own drive under the provider's name with its folders, in a lent one under the last part of it.
fn target(place: &Place, lent: bool) -> String {
    match &place.name {
        Some(name) => name.clone(),
        None if lent => "/".into(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_without_a_name_keeps_the_folders_in_the_own_drive_only() {
        let place = |name: Option<&str>| Place { drive: None, name: name.map(Into::into) };
        assert_eq!(names::complete(&target(&place(None), false), "a/b"), "a/b");
        assert_eq!(names::complete(&target(&place(None), true), "a/b"), "b");
        assert_eq!(names::complete(&target(&place(Some("c/")), true), "a/b"), "c/b");
        assert_eq!(names::complete(&target(&place(Some("c")), false), "a/b"), "c");
    }
}
