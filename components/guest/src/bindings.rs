//! The node's interfaces as generated from `wit/host`: everything that the other modules of this crate wrap, for when they are not enough.
//!
//! Outside a node (in native tests) the types work and the functions must not be called.
//!
//! The text of the interfaces is in this crate's own folder, so that the crate can be copied elsewhere. The folder is not named `wit`: for such a one cargo-component would
//! write bindings of its own in place of this file.
#![allow(unsafe_code, missing_docs, clippy::all, clippy::pedantic, clippy::restriction, rust_2018_idioms)]

wit_bindgen::generate!({
    path: "interfaces",
    world: "transship:host/process",
    pub_export_macro: true,
    default_bindings_module: "transship_guest::bindings",
    generate_unused_types: true,
    additional_type_attributes: {
        "transship:host/standard@0.1.0/process-id": [
            #[derive(PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
            #[serde(rename_all = "kebab-case")]
        ],
        "transship:host/standard@0.1.0/address": [
            #[derive(PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
            #[serde(rename_all = "kebab-case")]
        ],
    },
});
