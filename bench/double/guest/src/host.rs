//! The node's interfaces, as far as the worker uses them. Where the node's own types will do, they are the SDK's too; the others are converted, which costs moves and no copies.

pub mod blobs;
pub mod capabilities;
pub mod digests;
pub mod messaging;
pub mod processes;
pub mod standard;
pub mod timer;
pub mod vfs;

/// Makes the type of a handle, which closes when it is dropped. `$drop` is the node's function for that, called with `host!` or `host_await!`.
macro_rules! handle {
    ($(#[$about:meta])* $name:ident, $inner:ty, $call:ident $drop:path) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name(u32);

        impl $name {
            /// Takes it from the node.
            pub(crate) fn taken(handle: transship::native::Resource<$inner>) -> Self {
                Self(handle.rep())
            }

            /// Lends it to the node for a call.
            #[allow(dead_code)]
            pub(crate) fn lent(&self) -> transship::native::Resource<$inner> {
                transship::native::Resource::new_borrow(self.0)
            }

            /// Gives it to the node for good.
            #[allow(dead_code)]
            pub(crate) fn given(self) -> transship::native::Resource<$inner> {
                let handle = transship::native::Resource::new_own(self.0);
                std::mem::forget(self);
                handle
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // While the process is being ended, the node closes all there is.
                if $crate::fiber::with(|_| ()).is_some() {
                    $call!($drop, transship::native::Resource::<$inner>::new_own(self.0));
                }
            }
        }
    };
}
pub(crate) use handle;
