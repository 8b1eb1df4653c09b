//! `state`.

use super::Guest;
use super::bindings::transship::host::state::{Host, StateError};
use crate::state::StateError as Error;

impl Guest {
    async fn with_state<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&crate::state::StateStore, &crate::message::ProcessId) -> Result<T, Error> + Send + 'static,
    ) -> wasmtime::Result<Result<T, StateError>> {
        self.busy_epochs = 0;
        let (node, process) = (self.node.clone(), self.process.id.clone());
        let result = tokio::task::spawn_blocking(move || work(&node.state, &process)).await?;
        Ok(result.map_err(|error| match error {
            Error::TooLarge => StateError::TooLarge,
            Error::NoSpace => StateError::NoSpace,
            Error::Io(why) => StateError::Io(why),
        }))
    }
}

impl Host for Guest {
    async fn get(&mut self) -> wasmtime::Result<Result<Option<Vec<u8>>, StateError>> {
        self.with_state(|state, process| state.get(process)).await
    }

    async fn set(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Result<(), StateError>> {
        self.with_state(move |state, process| state.set(process, &bytes)).await
    }

    async fn clear(&mut self) -> wasmtime::Result<Result<(), StateError>> {
        self.with_state(|state, process| state.clear(process)).await
    }
}
