//! `standard`: types only.

use super::Guest;
use super::bindings::transship::host::standard::Host;

impl Host for Guest {}
