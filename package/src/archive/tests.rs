use super::*;

const MANIFEST: &str = "name = 'demo'\npublisher = 'me'\nversion = '1.0.0'\n[components]\nfirst = 'first.wasm'\nsecond = 'second.wasm'\n[[process]]\nname = 'p'\ncomponent = 'first'\n";

fn fake_component(content: &[u8]) -> Vec<u8> {
    [COMPONENT_PREAMBLE.as_slice(), content].concat()
}

fn package() -> Package {
    let files = BTreeMap::from([("second.wasm".into(), fake_component(b"2")), ("first.wasm".into(), fake_component(&[1; 5000]))]);
    Package::assemble(&Manifest::read(MANIFEST).unwrap(), &files).unwrap()
}

/// A one-file form, correct but for what stands in it.
fn file_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        append(&mut archive, name, bytes).unwrap();
    }
    sealed(&archive.into_inner().unwrap())
}

fn sealed(content: &[u8]) -> Vec<u8> {
    [make_head(&HEXLOWER.encode(digest(&SHA256, content).as_ref())).unwrap().as_slice(), content].concat()
}

#[test]
fn a_package_is_the_same_after_it_was_written_and_read() {
    let package = package();
    let again = Package::from_bytes(&package.to_bytes().unwrap()).unwrap();
    assert_eq!(again, package);
    assert_eq!(again.component("first").unwrap(), fake_component(&[1; 5000]));
    assert_eq!(again.component("second").unwrap(), fake_component(b"2"));
    assert_eq!(again.component("third"), None);
    assert_eq!(again.components().map(|(name, _)| name).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(again.digest().len(), 64);
}

#[test]
fn equal_contents_give_equal_files_and_another_content_gives_another_digest() {
    assert_eq!(package().to_bytes().unwrap(), package().to_bytes().unwrap());
    let files = BTreeMap::from([("second.wasm".into(), fake_component(b"3")), ("first.wasm".into(), fake_component(&[1; 5000]))]);
    assert_ne!(Package::assemble(&Manifest::read(MANIFEST).unwrap(), &files).unwrap().digest(), package().digest());
}

#[test]
fn any_tar_program_can_list_it() {
    let bytes = package().to_bytes().unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let names: Vec<String> = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, [HEAD_NAME, FILE_NAME, "first.wasm", "second.wasm"]);
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = package().to_bytes().unwrap();
    for position in (0..bytes.len()).step_by(97).chain(0..HEAD_LENGTH) {
        let mut bad = bytes.clone();
        bad[position] ^= 1 << (position % 8);
        assert!(Package::from_bytes(&bad).is_err(), "byte {position}");
    }
    let mut bad = bytes.clone();
    bad[3000] ^= 1;
    assert!(Package::from_bytes(&bad).unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_cut_or_lengthened_file_is_found() {
    let bytes = package().to_bytes().unwrap();
    for length in [1, 15, 511, 1023, 1024, 1025, 3000, bytes.len() - 1] {
        assert!(Package::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    assert!(matches!(Package::from_bytes(&bytes[..1000]), Err(PackageError::Damaged(_))));
    assert!(matches!(Package::from_bytes(&bytes[..3000]), Err(PackageError::Damaged(_))));
    assert!(matches!(Package::from_bytes(&[bytes.as_slice(), b"x"].concat()), Err(PackageError::Damaged(_))));
}

#[test]
fn other_files_and_later_formats_are_told_apart_from_damage() {
    assert!(Package::from_bytes(b"").unwrap_err().to_string().contains("it is empty"));
    assert!(matches!(Package::from_bytes(&fake_component(b"")), Err(PackageError::NotAPackage(_))));
    let mut later = package().to_bytes().unwrap();
    later[512 + FORMAT.len() - 2] = b'2';
    assert!(matches!(Package::from_bytes(&later), Err(PackageError::Newer)));
}

#[test]
fn a_package_holds_what_its_manifest_names_and_nothing_else() {
    let component = fake_component(b"");
    let (manifest, first, second) = ((FILE_NAME, MANIFEST.as_bytes()), ("first.wasm", component.as_slice()), ("second.wasm", component.as_slice()));
    Package::from_bytes(&file_of(&[manifest, first, second])).unwrap();
    let refused = |entries: &[(&str, &[u8])]| Package::from_bytes(&file_of(entries)).unwrap_err();
    assert!(matches!(refused(&[manifest, first]), PackageError::MissingFile { file, .. } if file == "second.wasm"));
    assert!(matches!(refused(&[manifest, first, second, ("third.wasm", &component)]), PackageError::UnexpectedFile(name) if name == "third.wasm"));
    assert!(matches!(refused(&[manifest, first, second, second]), PackageError::UnexpectedFile(_)));
    assert!(matches!(refused(&[first, second, manifest]), PackageError::UnexpectedFile(_)));
    assert!(matches!(refused(&[manifest, first, second, ("sub/first.wasm", &component)]), PackageError::UnexpectedFile(_)));
    assert!(matches!(refused(&[]), PackageError::MissingFile { file, .. } if file == FILE_NAME));
    assert!(matches!(refused(&[(FILE_NAME, b"name = 3")]), PackageError::Manifest(_)));
    assert!(matches!(refused(&[(FILE_NAME, b"\xff")]), PackageError::Damaged(_)));
    assert!(matches!(refused(&[manifest, first, ("second.wasm", b"\0asm\x01\0\0\0")]), PackageError::NotAComponent { found: "a core module", .. }));
}

#[test]
fn links_and_other_kinds_of_entries_are_refused() {
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::GNULongName,
        tar::EntryType::GNUSparse,
        tar::EntryType::XHeader,
    ] {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_path(FILE_NAME).unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
        let error = Package::from_bytes(&sealed(&archive.into_inner().unwrap())).unwrap_err();
        assert!(matches!(error, PackageError::UnexpectedFile(_)), "{kind:?}: {error}");
    }
}

#[test]
fn a_size_that_the_archive_only_claims_is_not_believed() {
    for size in [1 << 20, 1 << 40, (1 << 63) - 1] {
        let mut archive = tar::Builder::new(Vec::new());
        append(&mut archive, FILE_NAME, MANIFEST.as_bytes()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_path("first.wasm").unwrap();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size);
        header.set_cksum();
        archive.append(&header, &b"\0asm"[..]).unwrap();
        let error = Package::from_bytes(&sealed(&archive.into_inner().unwrap())).unwrap_err();
        assert!(matches!(error, PackageError::Damaged(_)), "{size}: {error}");
    }
}

#[test]
fn components_and_packages_have_a_greatest_size() {
    let files = BTreeMap::from([("first.wasm".into(), fake_component(&vec![0; MAX_COMPONENT as usize])), ("second.wasm".into(), fake_component(b""))]);
    let error = Package::assemble(&Manifest::read(MANIFEST).unwrap(), &files).unwrap_err();
    assert_eq!(error.to_string(), "'first.wasm' has 67108872 bytes; at most 67108864");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.transship");
    File::create(&path).unwrap().set_len(MAX_PACKAGE + 10).unwrap();
    let error = Package::read(&path).unwrap_err().to_string();
    assert!(error.contains("large.transship") && error.contains("at most 268435456"), "{error}");
}

#[test]
fn writing_leaves_the_whole_file_and_no_other_and_replaces_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.transship");
    fs::write(&path, "older").unwrap();
    package().write(&path).unwrap();
    assert_eq!(Package::read(&path).unwrap(), package());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = package().write(&folder.path().join("nowhere/demo.transship")).unwrap_err();
    assert!(matches!(&error, PackageError::Io { path, .. } if path.ends_with("nowhere/demo.transship")), "{error}");
}
