//! `timer`.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::TryRngCore;

use super::Guest;
use super::bindings::transship::host::timer::Host;

/// What the monotonic clock counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The longest timer: a year. Longer ones could pass the end of the system's clock.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Host for Guest {
    fn set(&mut self, milliseconds: u64) -> wasmtime::Result<u64> {
        let after = Duration::from_millis(milliseconds).min(LONGEST);
        Ok(self.process.pending.lock().set_timer(Instant::now() + after))
    }

    fn cancel(&mut self, timer: u64) -> wasmtime::Result<bool> {
        Ok(self.process.pending.lock().cancel_timer(timer))
    }

    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
    }

    fn monotonic(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn random(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.busy_epochs = 0;
        let mut bytes = vec![0; count.min(1024) as usize];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes)?;
        Ok(bytes)
    }
}
