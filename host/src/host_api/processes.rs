//! `processes`.

use wasmtime::component::Resource;

use super::bindings::transship::host::processes::{Host, OnExit, SpawnError, SpawnOptions};
use super::bindings::transship::host::standard;
use super::{Exit, Guest};
use crate::capability::Capability;
use crate::message::{Address, ProcessId};
use crate::node::spawn::{self, SpawnRefusal};
use crate::process::run;

impl Host for Guest {
    async fn spawn(&mut self, options: SpawnOptions) -> wasmtime::Result<Result<standard::Address, SpawnError>> {
        self.busy_epochs = 0;
        let mut capabilities = Vec::with_capacity(options.capabilities.len());
        for handle in options.capabilities {
            let handle: Resource<Capability> = handle;
            capabilities.push(self.table.delete(handle)?);
        }
        let on_exit = match options.on_exit {
            OnExit::None => run::OnExit::None,
            OnExit::Restart => run::OnExit::Restart,
            OnExit::Requests(requests) => {
                let mut parsed = Vec::with_capacity(requests.len());
                for request in requests {
                    match Address::try_from(&request.target) {
                        Ok(target) => parsed.push((target, request.body.into())),
                        Err(error) => return Ok(Err(SpawnError::Failed(format!("an on-exit request has no valid target: {error}")))),
                    }
                }
                run::OnExit::Requests(parsed)
            }
        };
        let wanted = spawn::Wanted { name: options.name, component: options.component, on_exit, capabilities, public: options.public };
        let node = self.node.clone();
        // Not on the stack of the guest, which keeps what it has once taken.
        match Box::pin(spawn::spawn_child(&node, &self.process, wanted)).await {
            Ok(address) => Ok(Ok((&address).into())),
            Err(refusal) => Ok(Err(match refusal {
                SpawnRefusal::Denied(why) => SpawnError::Denied(why),
                SpawnRefusal::NoSuchComponent(name) => SpawnError::NoSuchComponent(name),
                SpawnRefusal::NameTaken(name) => SpawnError::NameTaken(name),
                SpawnRefusal::InvalidName(why) => SpawnError::InvalidName(why),
                SpawnRefusal::Limit(why) => SpawnError::Limit(why),
                SpawnRefusal::Failed(why) => SpawnError::Failed(why),
            })),
        }
    }

    fn parent(&mut self) -> wasmtime::Result<Option<standard::Address>> {
        Ok(self.process.parent.as_ref().map(|parent| (&self.node.router.address_of(parent)).into()))
    }

    fn children(&mut self) -> wasmtime::Result<Vec<standard::Address>> {
        let children: Vec<ProcessId> = self.process.children.lock().iter().cloned().collect();
        Ok(children.iter().map(|child| (&self.node.router.address_of(child)).into()).collect())
    }

    fn running(&mut self, process: standard::ProcessId) -> wasmtime::Result<bool> {
        Ok(ProcessId::try_from(&process).is_ok_and(|id| self.node.router.find(&id).is_some()))
    }

    fn kill(&mut self, process: standard::ProcessId) -> wasmtime::Result<bool> {
        let Ok(id) = ProcessId::try_from(&process) else { return Ok(false) };
        if !self.process.children.lock().contains(&id) {
            return Ok(false);
        }
        let Some(child) = self.node.router.find(&id) else { return Ok(false) };
        child.stop.cancel();
        Ok(true)
    }

    fn exit(&mut self, outcome: Result<(), String>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Exit(outcome)))
    }
}
