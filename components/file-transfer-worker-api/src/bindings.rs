//! The exported interfaces as generated from `wit/file-transfer`.
#![allow(unsafe_code, missing_docs, clippy::all, clippy::pedantic, clippy::restriction, rust_2018_idioms)]

wit_bindgen::generate!({
    path: ["../../wit/host", "../../wit/file-transfer"],
    world: "transship:file-transfer/file-transfer-worker-api",
    with: {
        "transship:host/standard@0.1.0": transship_guest::bindings::transship::host::standard,
        "transship:host/capabilities@0.1.0": transship_guest::bindings::transship::host::capabilities,
        "transship:host/blobs@0.1.0": transship_guest::bindings::transship::host::blobs,
        "transship:host/messaging@0.1.0": transship_guest::bindings::transship::host::messaging,
        "transship:host/processes@0.1.0": transship_guest::bindings::transship::host::processes,
        "transship:host/vfs@0.1.0": transship_guest::bindings::transship::host::vfs,
        "transship:host/digests@0.1.0": transship_guest::bindings::transship::host::digests,
        "transship:host/state@0.1.0": transship_guest::bindings::transship::host::state,
        "transship:host/timer@0.1.0": transship_guest::bindings::transship::host::timer,
        "transship:host/peers@0.1.0": transship_guest::bindings::transship::host::peers,
        "transship:host/log@0.1.0": transship_guest::bindings::transship::host::log,
    },
});
