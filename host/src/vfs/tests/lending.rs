//! A drive that lends one file of a folder.

use super::*;

fn ground() -> (tempfile::TempDir, Drive) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["report.pdf", "report (1).pdf", "other.pdf", ".transship-x", ".secret"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    std::fs::create_dir(folder.path().join("below")).unwrap();
    std::fs::write(folder.path().join("below/report.pdf"), "another").unwrap();
    std::fs::create_dir(folder.path().join(".transship-below")).unwrap();
    std::fs::write(folder.path().join(".transship-below/inner"), "inner").unwrap();
    let drive = Drive::folder_showing("p:q/lent", folder.path(), "report.pdf").unwrap();
    (folder, drive)
}

#[test]
fn who_reads_a_lent_file_sees_that_file_and_nothing_else_of_the_folder() {
    let (_folder, drive) = ground();
    let root = drive.root(Rights { list: true, read: true, write: false });
    assert_eq!(names(&root), ["report.pdf"]);
    assert_eq!(contents(&root, "report.pdf"), b"report.pdf");
    for name in ["report (1).pdf", "other.pdf", ".transship-x", ".secret", "below", "missing", ".transship-below/inner", "below/report.pdf"] {
        // Whether it is there or not.
        assert!(matches!(root.open_file(name, READ), Err(VfsError::Denied(_))), "{name}");
        assert!(matches!(root.metadata(name), Err(VfsError::Denied(_))), "{name}");
        assert!(matches!(root.open_directory(name, false), Err(VfsError::Denied(_))), "{name}");
    }
    assert!(matches!(root.open_file("../x", READ), Err(VfsError::InvalidName(_))));
    assert!(matches!(root.open_file("report.pdf", WRITE), Err(VfsError::NoRight(..))));
}

#[test]
fn who_writes_a_lent_file_can_replace_it_safely_or_give_way_to_it_and_touch_nothing_else() {
    let (folder, drive) = ground();
    let root = drive.root(Rights::ALL);
    put(&root, ".transship-new", b"new").sync().unwrap();
    assert_eq!(root.rename(".transship-new", "report.pdf", false), Err(VfsError::Exists("report.pdf".into())));
    assert_eq!(root.rename(".transship-new", "report (1).pdf", false), Err(VfsError::Exists("report (1).pdf".into())));
    root.rename(".transship-new", "report (2).pdf", false).unwrap();
    root.copy("report (2).pdf", ".transship-copy").unwrap();
    root.rename(".transship-copy", "report.pdf", true).unwrap();
    root.sync().unwrap();
    assert_eq!(std::fs::read(folder.path().join("report.pdf")).unwrap(), b"new");
    assert_eq!(names(&root), [".transship-below", ".transship-x", "report (1).pdf", "report (2).pdf", "report.pdf"]);

    let denied = |result: Result<(), VfsError>| assert!(matches!(result, Err(VfsError::Denied(_))), "{result:?}");
    for name in ["other.pdf", ".secret", "new", "report (1).txt", "below/report.pdf", "below/.transship-x", ".transship-below/inner"] {
        denied(root.open_file(name, NEW).map(drop));
        denied(root.rename("report.pdf", name, true));
        denied(root.rename(name, "report.pdf", true));
        denied(root.copy(name, "report (3).pdf"));
        denied(root.copy("report.pdf", name));
        denied(root.remove_file(name));
    }
    for name in ["below", ".transship-below", "report.pdf"] {
        denied(root.open_directory(name, true).map(drop));
        denied(root.remove_directory(name, true));
    }
    assert_eq!(std::fs::read(folder.path().join("other.pdf")).unwrap(), b"other.pdf");
    assert_eq!(std::fs::read(folder.path().join(".transship-below/inner")).unwrap(), b"inner");
}

#[test]
fn one_name_is_lent_and_no_path() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "..", "a/b", "/a", "a\nb"] {
        assert!(matches!(Drive::folder_showing("d", folder.path(), name), Err(VfsError::InvalidName(_))), "{name:?}");
    }
    // The file need not be there yet.
    let root = Drive::folder_showing("d", folder.path(), "new file").unwrap().root(Rights::ALL);
    put(&root, "new file", b"x");
    assert_eq!(names(&root), ["new file"]);
}

#[test]
fn a_lent_file_tells_nothing_of_its_folder_and_can_not_change_it() {
    let (_folder, drive) = ground();
    let root = drive.root(Rights::ALL);
    assert!(matches!(root.own_metadata(), Err(VfsError::Denied(_))));
    assert!(matches!(root.set_own(0, 0o777), Err(VfsError::Denied(_))));
}
