//! The names that stand in a manifest: of packages, processes, drives and components, and of the files in a package.
//!
//! A [`ProcessName`] or a [`PackageName`] that exists has valid parts: parsing is the only way to make one.

use std::fmt;
use std::str::FromStr;

/// The most characters in a name.
pub const MAX_NAME: usize = 64;
/// The most characters in the name of a file in a package.
pub const MAX_FILE_NAME: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not 1 to 64 characters out of `a-z 0-9 - _ .`, or not starting with a letter or digit.
    #[error("'{0}' is not a name: use 1 to 64 characters out of a-z, 0-9, '-', '_' and '.', starting with a letter or a digit")]
    Name(String),
    /// Not `process:package:publisher`.
    #[error("'{0}' is not a process: write process:package:publisher")]
    Process(String),
    /// Not `package:publisher`.
    #[error("'{0}' is not a package: write package:publisher")]
    Package(String),
    /// Not a plain file name that ends with `.wit`, or not in a folder of a plain name.
    #[error("'{0}' is not the name of a WIT file: use plain names of letters, digits, '-', '_' and '.', and the ending .wit")]
    Wit(String),
    /// Not a plain file name that ends with `.wasm`.
    #[error("'{0}' is not the name of a component file: use a plain name that ends with .wasm, of letters, digits, '-', '_' and '.', without any folder")]
    File(String),
}

/// Checks the name of a package, publisher, process, drive or component.
///
/// # Errors
/// [`NameError::Name`] if it is not one.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let goes_on_well = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if starts_well && goes_on_well && name.len() <= MAX_NAME { Ok(()) } else { Err(NameError::Name(shortened(name))) }
}

/// Checks the name of a component's file in a package.
///
/// # Errors
/// [`NameError::File`] if it is not one.
pub fn check_file_name(name: &str) -> Result<(), NameError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let goes_on_well = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let ends_well = name.strip_suffix(".wasm").is_some_and(|stem| !stem.is_empty());
    if starts_well && goes_on_well && ends_well && name.len() <= MAX_FILE_NAME { Ok(()) } else { Err(NameError::File(shortened(name))) }
}

/// Checks a part of the path of a WIT file in a package: the name of a folder, or with `file` that of a file.
///
/// # Errors
/// [`NameError::Wit`] if it is not one.
pub fn check_wit_name(name: &str, file: bool) -> Result<(), NameError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let goes_on_well = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let ends_well = !file || name.strip_suffix(".wit").is_some_and(|stem| !stem.is_empty());
    // Both and what stands before them fit into the hundred bytes of a name in an archive.
    if starts_well && goes_on_well && ends_well && name.len() <= 40 { Ok(()) } else { Err(NameError::Wit(shortened(name))) }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The name of a process of some package on the same node, printed `process:package:publisher`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessName {
    process: String,
    package: String,
    publisher: String,
}

impl ProcessName {
    /// The process's own name.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Its package.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The publisher of its package.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.process, self.package, self.publisher)
    }
}

impl FromStr for ProcessName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut parts = text.split(':');
        let (Some(process), Some(package), Some(publisher), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NameError::Process(shortened(text)));
        };
        for part in [process, package, publisher] {
            check_name(part)?;
        }
        Ok(Self { process: process.into(), package: package.into(), publisher: publisher.into() })
    }
}

/// The name of a package, printed `package:publisher`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageName {
    package: String,
    publisher: String,
}

impl PackageName {
    /// The package's own name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Its publisher.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.package, self.publisher)
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((package, publisher)) = text.split_once(':').filter(|(_, publisher)| !publisher.contains(':')) else {
            return Err(NameError::Package(shortened(text)));
        };
        check_name(package)?;
        check_name(publisher)?;
        Ok(Self { package: package.into(), publisher: publisher.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_never_a_path() {
        for good in ["a", "0", "file-transfer", "a.b_c-1", &"x".repeat(64)] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", ".a", "A", "a b", "a/b", "..", "ä", "a:b", "a\0", &"x".repeat(65)] {
            assert_eq!(check_name(bad), Err(NameError::Name(bad.into())), "{bad:?}");
        }
    }

    #[test]
    fn a_component_file_is_a_plain_name_with_its_ending() {
        for good in ["manager.wasm", "Worker_2.wasm", "a.b.wasm"] {
            check_file_name(good).unwrap();
        }
        for bad in ["", ".wasm", "manager", "a/b.wasm", "../a.wasm", "/a.wasm", "a\\b.wasm", "a.wasm ", "a.wasm\0", &format!("{}.wasm", "x".repeat(128))] {
            assert!(check_file_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_process_name_prints_as_it_parses() {
        let name: ProcessName = "manager:file-transfer:transship".parse().unwrap();
        assert_eq!(name.to_string(), "manager:file-transfer:transship");
        assert_eq!((name.process(), name.package(), name.publisher()), ("manager", "file-transfer", "transship"));
        assert_eq!("a:b".parse::<ProcessName>(), Err(NameError::Process("a:b".into())));
        assert_eq!("a:b:c:d".parse::<ProcessName>(), Err(NameError::Process("a:b:c:d".into())));
        assert_eq!("a:B:c".parse::<ProcessName>(), Err(NameError::Name("B".into())));
    }

    #[test]
    fn a_package_name_has_two_parts() {
        let name: PackageName = "file-transfer:transship".parse().unwrap();
        assert_eq!((name.to_string().as_str(), name.package(), name.publisher()), ("file-transfer:transship", "file-transfer", "transship"));
        for bad in ["a", "a:b:c", "a:", "A:b"] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wit_file_is_a_plain_name_in_a_folder_of_a_plain_name() {
        check_wit_name("file-transfer", false).unwrap();
        check_wit_name("types.wit", true).unwrap();
        for bad in ["", ".wit", "..", "a/b.wit", "types.txt", &format!("{}.wit", "x".repeat(40))] {
            assert!(check_wit_name(bad, true).is_err(), "{bad:?}");
        }
    }
}
