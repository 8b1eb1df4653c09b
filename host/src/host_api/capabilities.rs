//! `capabilities`.

use wasmtime::component::Resource;

use super::Guest;
use super::bindings::transship::host::capabilities as wit;
use super::bindings::transship::host::capabilities::{CapabilityKind, Host, HostCapability};
use crate::capability::{Capability, CapabilityError, Kind};
use crate::message::ProcessId;

impl Host for Guest {
    fn held(&mut self) -> wasmtime::Result<Vec<Resource<Capability>>> {
        let held: Vec<Capability> = self.process.held.lock().iter().filter(|capability| capability.valid()).cloned().collect();
        held.into_iter().map(|capability| Ok(self.table.push(capability)?)).collect()
    }

    fn keep(&mut self, capability: Resource<Capability>) -> wasmtime::Result<Result<(), wit::CapabilityError>> {
        let capability = self.table.get(&capability)?;
        Ok(self.process.keep(capability).map_err(convert))
    }

    fn drop_held(&mut self, capability: Resource<Capability>) -> wasmtime::Result<()> {
        let capability = self.table.get(&capability)?;
        self.process.held.lock().retain(|held| !held.same(capability));
        // What was passed on was made from the link that is given up.
        capability.end();
        Ok(())
    }

    fn issue(&mut self, params: String) -> wasmtime::Result<Result<Resource<Capability>, wit::CapabilityError>> {
        match Capability::issued(&self.address, &params) {
            Ok(capability) => Ok(Ok(self.table.push(capability)?)),
            Err(error) => Ok(Err(convert(error))),
        }
    }

    fn revoke(&mut self, capability: Resource<Capability>) -> wasmtime::Result<Result<(), wit::CapabilityError>> {
        let capability = self.table.get(&capability)?;
        Ok(capability.revoke_by(&self.process.id).map_err(convert))
    }
}

impl HostCapability for Guest {
    fn kind(&mut self, this: Resource<Capability>) -> wasmtime::Result<CapabilityKind> {
        Ok(match self.table.get(&this)?.kind() {
            Kind::Drive { drive, rights } => CapabilityKind::Drive(wit::DriveGrant { drive: drive.name().into(), rights: (*rights).into() }),
            Kind::Network => CapabilityKind::Network,
            Kind::Messaging(process) => CapabilityKind::Messaging(process.into()),
            Kind::Spawning => CapabilityKind::Spawning,
            Kind::Custom { issuer, params } => CapabilityKind::Custom(wit::CustomGrant { issuer: issuer.into(), params: params.to_string() }),
        })
    }

    fn valid(&mut self, this: Resource<Capability>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.valid())
    }

    fn duplicate(&mut self, this: Resource<Capability>) -> wasmtime::Result<Resource<Capability>> {
        let capability = self.table.get(&this)?.clone();
        Ok(self.table.push(capability)?)
    }

    fn restrict(&mut self, this: Resource<Capability>, to: CapabilityKind) -> wasmtime::Result<Result<Resource<Capability>, wit::CapabilityError>> {
        let capability = self.table.get(&this)?.clone();
        let kind = match (to, capability.kind()) {
            // The drive itself is taken from the capability at hand: a name gives no access.
            (CapabilityKind::Drive(grant), Kind::Drive { drive, .. }) if grant.drive == drive.name() => {
                Kind::Drive { drive: drive.clone(), rights: grant.rights.into() }
            }
            (CapabilityKind::Network, Kind::Network) => Kind::Network,
            (CapabilityKind::Spawning, Kind::Spawning) => Kind::Spawning,
            (CapabilityKind::Messaging(wanted), Kind::Messaging(held)) if ProcessId::try_from(&wanted).as_ref() == Ok(held) => Kind::Messaging(held.clone()),
            _ => return Ok(Err(wit::CapabilityError::NotContained)),
        };
        match capability.restricted(kind, &self.process.id) {
            Ok(less) => Ok(Ok(self.table.push(less)?)),
            Err(error) => Ok(Err(convert(error))),
        }
    }

    fn drop(&mut self, this: Resource<Capability>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn convert(error: CapabilityError) -> wit::CapabilityError {
    match error {
        CapabilityError::NotContained => wit::CapabilityError::NotContained,
        CapabilityError::Revoked => wit::CapabilityError::Revoked,
        CapabilityError::NotIssuer => wit::CapabilityError::NotIssuer,
        CapabilityError::Limit(why) => wit::CapabilityError::Limit(why),
    }
}
