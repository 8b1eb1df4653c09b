//! The JSON of WIT results, for serde's `with`: `{"ok": …}` or `{"err": …}`. Serde's own has capital letters.

/// See the module.
pub mod wit_result {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Out<'a, T, E> {
        Ok(&'a T),
        Err(&'a E),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum In<T, E> {
        Ok(T),
        Err(E),
    }

    /// Writes a result.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Serialize, E: Serialize, S: Serializer>(result: &Result<T, E>, serializer: S) -> Result<S::Ok, S::Error> {
        match result {
            Ok(value) => Out::<T, E>::Ok(value).serialize(serializer),
            Err(error) => Out::<T, E>::Err(error).serialize(serializer),
        }
    }

    /// Reads a result.
    ///
    /// # Errors
    /// If it is none.
    pub fn deserialize<'de, T: Deserialize<'de>, E: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Result<T, E>, D::Error> {
        Ok(match In::deserialize(deserializer)? {
            In::Ok(value) => Ok(value),
            In::Err(error) => Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use crate::protocol::{InternalRequest, InternalResponse};
    use crate::types::{DigestAlgorithm, TransferError, TransferOptions, TransferState};
    use crate::{manager, worker};

    #[test]
    fn variants_records_and_enums_have_the_names_of_the_interface() {
        assert_eq!(to_value(manager::Request::ListFiles).unwrap(), json!("list-files"));
        let info = manager::FileInfo { name: "a/b".into(), size: 3, modified: -1, id: None };
        assert_eq!(
            to_value(manager::Response::ListFiles(vec![info])).unwrap(),
            json!({"list-files": [{"name": "a/b", "size": 3, "modified": -1, "id": null}]})
        );
        assert_eq!(to_value(DigestAlgorithm::Blake3).unwrap(), json!("blake3"));
        assert_eq!(to_value(manager::IdAlgorithm::Md5).unwrap(), json!("md5"));
        let mismatch = TransferError::NotFound("x".into());
        assert_eq!(to_value(TransferState::Failed(mismatch)).unwrap(), json!({"failed": {"not-found": "x"}}));
    }

    #[test]
    fn options_may_be_left_out() {
        let asked: manager::Request = from_value(json!({"get": {"node": "bob", "name": "x", "to": {}}})).unwrap();
        let manager::Request::Get(get) = asked else { panic!("{asked:?}") };
        assert!(get.options.is_none() && get.to.name.is_none());
        let options: TransferOptions = from_value(json!({"chunk-size": 7, "by-id": true})).unwrap();
        assert_eq!((options.chunk_size, options.by_id, options.window), (Some(7), Some(true), None));
    }

    #[test]
    fn words_of_rust_that_are_names_of_the_interface_are_written_without_ornament() {
        let put = json!({"put": {"node": "bob", "name": "x", "from": {"drive": "p:q/d", "name": "y"}}});
        assert!(from_value::<manager::Request>(put).is_ok());
        let segment: manager::StoreSegment = from_value(json!({"number": 1, "result": "cancel"})).unwrap();
        assert_eq!(segment.result, Some(manager::StoreResult::Cancel));
    }

    #[test]
    fn results_say_ok_or_err() {
        let process = transship_guest::address::ProcessId::new("w", "p", "q");
        let answer = worker::Response::Download(Ok(process.clone()));
        let text = json!({"download": {"ok": {"process-name": "w", "package-name": "p", "publisher-node": "q"}}});
        assert_eq!(to_value(&answer).unwrap(), text);
        assert_eq!(from_value::<worker::Response>(text).unwrap(), answer);
        let refused = json!({"upload": {"err": {"conflict": "x"}}});
        assert_eq!(from_value::<worker::Response>(refused).unwrap(), worker::Response::Upload(Err(TransferError::Conflict("x".into()))));
        let chunk = json!({"chunk": {"err": {"changed": "x"}}});
        assert_eq!(from_value::<InternalResponse>(chunk).unwrap(), InternalResponse::Chunk(Err(TransferError::Changed("x".into()))));
        assert!(from_value::<InternalRequest>(json!({"finished": {"ok": null}})).is_err());
    }

    #[test]
    fn progress_reads_as_it_is_documented() {
        let progress = worker::ProgressRequest {
            id: "1".into(),
            name: "n".into(),
            progress: 5,
            bytes_done: 1,
            bytes_total: Some(20),
            state: TransferState::Transferring,
            files_done: None,
            files_total: None,
        };
        let text = json!({"progress": {
            "id": "1", "name": "n", "progress": 5, "bytes-done": 1, "bytes-total": 20, "state": "transferring", "files-done": null, "files-total": null,
        }});
        assert_eq!(to_value(worker::Request::Progress(progress)).unwrap(), text);
        assert_eq!(to_value(worker::Request::Cancel(true)).unwrap(), json!({"cancel": true}));
    }
}
