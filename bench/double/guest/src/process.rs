//! The entry of a process, and its parent.

pub use crate::host::processes::{SpawnError, parent};

/// Makes a function the entry of the process: `fn(Address) -> Result<(), E>`, where `E` is anything that can be printed. Natively that is a public function `process`, to be [run](crate::run).
#[macro_export]
macro_rules! process {
    ($init:path) => {
        /// The process, from its start to its end.
        pub fn process(our: $crate::address::Address) -> ::core::result::Result<(), ::std::string::String> {
            $init(our).map_err(|error| ::std::string::ToString::to_string(&error))
        }
    };
}
