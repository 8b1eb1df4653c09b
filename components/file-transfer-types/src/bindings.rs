//! The interfaces as generated from `wit/file-transfer`, with the JSON that `wit/file-transfer/world.wit` describes.
//!
//! The text of the interfaces is in the folder `interfaces` of this crate (see `transship_guest::bindings` for why it is not named `wit`).
#![allow(unsafe_code, missing_docs, clippy::all, clippy::pedantic, clippy::restriction, rust_2018_idioms)]

wit_bindgen::generate!({
    path: ["interfaces/host", "interfaces/file-transfer"],
    inline: "
        package transship:file-transfer-types;
        world all {
            import transship:file-transfer/types@0.1.0;
            import transship:file-transfer/file-transfer@0.1.0;
            import transship:file-transfer/file-transfer-protocol@0.1.0;
            import transship:file-transfer/file-transfer-worker@0.1.0;
        }
    ",
    world: "all",
    generate_unused_types: true,
    with: {
        "transship:host/standard@0.1.0": transship_guest::bindings::transship::host::standard,
        "transship:host/capabilities@0.1.0": transship_guest::bindings::transship::host::capabilities,
        "transship:file-transfer/types@0.1.0": generate,
        "transship:file-transfer/file-transfer@0.1.0": generate,
        "transship:file-transfer/file-transfer-protocol@0.1.0": generate,
        "transship:file-transfer/file-transfer-worker@0.1.0": generate,
    },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    additional_type_attributes: {
        "transship:file-transfer/file-transfer-protocol@0.1.0/entry-kind": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/tree-entry": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/tree-page": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/files-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/file-sent": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/files-sent": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/part-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/file-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/link-policy": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/tree-options": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/tree-summary": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/tree-failure": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/transfer-error": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/digest-mismatch": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/no-space": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/conflict-policy": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/digest-algorithm": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/transfer-options": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/transfer-summary": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/types@0.1.0/transfer-state": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/size-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/digest-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/chunk-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/report-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/location": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/rival": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/download-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/upload-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/store-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/progress-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/response": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/file-info": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/id-algorithm": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/list-options": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/file-page": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/place": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/get-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/put-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/cancel-request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/transfer-status": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/store-result": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/store-info": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/store-segment": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/store-status": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/store-state": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/request": [#[serde(rename_all = "kebab-case")]],
        "transship:file-transfer/file-transfer@0.1.0/response": [#[serde(rename_all = "kebab-case")]],
    },
    additional_member_attributes: {
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-request.finished": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response.page": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response.files": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response.part": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response.digest-of": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-protocol@0.1.0/internal-response.chunk": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/response.download": [#[serde(with = "crate::json::wit_result")]],
        "transship:file-transfer/file-transfer-worker@0.1.0/response.upload": [#[serde(with = "crate::json::wit_result")]],
    },
});
