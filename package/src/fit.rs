//! Whether a component fits a node: what it imports must be offered, and what a process exports must be there.
//!
//! An [`Offer`] is a world in WIT text: what a node offers to its processes, and wants of them. [`check`] compares a component with it, by the component model's own rules: a component built for
//! `0.1.0` of an interface fits one of `0.1.3`, since a later version of the same line only adds. Every difference is a [`Misfit`], in words for the one who built the component.
//!
//! Interfaces of WASI are not compared: which of them a node serves is the engine's to say, when it loads the component.

use std::collections::{BTreeMap, BTreeSet};

use wac_graph::types::{ExternKind, ItemKind, Type, Types, WorldId, validate_target};
use wit_parser::{Resolve, SourceMap};

use crate::compose::{in_words, register_in};

/// What a node offers to a process, and wants of it.
pub struct Offer {
    /// The WIT package in its binary form.
    encoded: Vec<u8>,
    world: String,
    /// The interfaces that it offers, with their versions.
    interfaces: BTreeSet<String>,
}

/// Why no offer could be made of WIT text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the WIT text can't be used: {0}")]
pub struct OfferError(String);

/// One way in which a component does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It imports what nobody offers.
    #[error("it imports {import}, which neither the node nor a package that it depends on offers{hint}")]
    MissingImport {
        /// The interface or function.
        import: String,
        /// What to do, as far as that is known; may be empty.
        hint: String,
    },
    /// It imports another version of what is offered.
    #[error("it was built for {import}, and {by} has {served}: build it again against that version, or get {by} in a version that serves {import}")]
    OtherVersion {
        /// The interface that it wants.
        import: String,
        /// What there is.
        served: String,
        /// Who has it: `the node`, or a package.
        by: String,
    },
    /// What it imports is there in another shape.
    #[error(
        "it imports {import}, but in another shape than the node's (expected: the node's, found: the component's): {reason}. Build it against the node's own WIT, which `transship package get-api` writes"
    )]
    ImportDiffers {
        /// The interface or function.
        import: String,
        /// The first difference, from the outside in.
        reason: String,
    },
    /// It lacks what a process exports.
    #[error("it does not export {export}: a process is built for the world transship:host/process, whose function `init` is its entry")]
    MissingExport {
        /// The function.
        export: String,
    },
    /// It exports that in another shape.
    #[error("it exports {export}, but in another shape: {reason}")]
    ExportDiffers {
        /// The function.
        export: String,
        /// The first difference.
        reason: String,
    },
    /// It can't be read.
    #[error("{0}")]
    Unreadable(String),
}

/// What packages export that a component might have meant: package, and names of interfaces.
pub type Known = BTreeMap<String, BTreeSet<String>>;

impl Offer {
    /// Of the files of one WIT package (name and text) and the name of a world in it.
    ///
    /// # Errors
    /// [`OfferError`] if the text is no WIT, or has no such world.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, world: &str) -> Result<Self, OfferError> {
        let mut sources = SourceMap::default();
        for (name, text) in files {
            sources.push_str(name, text);
        }
        let mut resolve = Resolve::new();
        let group = sources.parse().map_err(|(_, error)| OfferError(error.to_string()))?;
        let package = resolve.push_group(group).map_err(|error| OfferError(error.to_string()))?;
        let id = resolve.select_world(&[package], Some(world)).map_err(|error| OfferError(format!("{error:#}")))?;
        let imports = resolve.worlds.get(id).map(|world| world.imports.keys().map(|key| resolve.name_world_key(key)).collect());
        let encoded = wit_component::encode(&resolve, package).map_err(|error| OfferError(format!("{error:#}")))?;
        let world = resolve.packages.get(package).map(|package| package.name.interface_id(world)).unwrap_or_default();
        Ok(Self { encoded, world, interfaces: imports.unwrap_or_default() })
    }

    /// The interfaces that it offers, such as `transship:host/vfs@0.1.0`.
    pub fn interfaces(&self) -> &BTreeSet<String> {
        &self.interfaces
    }

    fn world(&self, types: &mut Types) -> Result<WorldId, Misfit> {
        let broken = || Misfit::Unreadable(format!("the world {} can't be read", self.world));
        let package = register_in(types, "offer", &self.encoded).map_err(Misfit::Unreadable)?;
        // The binary form of WIT exports, for each world, a component type that exports that world under its full name.
        let mut wrappers = types[package.ty()].exports.values();
        let world = wrappers.find_map(|kind| {
            let ItemKind::Type(Type::World(wrapper)) = kind else { return None };
            match types[*wrapper].exports.get(&self.world) {
                Some(ItemKind::Component(world)) => Some(*world),
                _ => None,
            }
        });
        world.ok_or_else(broken)
    }
}

/// Compares a component with what is offered. `dependencies` are the packages that it depends on, with what they export; `others` are further packages, for hints. Empty: it fits.
pub fn check(component: &[u8], offer: &Offer, dependencies: &Known, others: &Known) -> Vec<Misfit> {
    let mut types = Types::default();
    let world = match offer.world(&mut types) {
        Ok(world) => world,
        Err(misfit) => return vec![misfit],
    };
    let component = match register_in(&mut types, "component", component) {
        Ok(package) => package.ty(),
        Err(reason) => return vec![Misfit::Unreadable(reason)],
    };
    let Err(report) = validate_target(&types, world, component) else { return Vec::new() };
    let imports = report.imports_not_in_target().filter(|import| !is_served_wasi(import));
    let mut misfits: Vec<Misfit> = imports.map(|import| missing(import, offer, dependencies, others)).collect();
    misfits.extend(report.missing_exports().map(|(export, _)| Misfit::MissingExport { export: export.into() }));
    misfits.extend(report.mismatched_types().map(|(name, kind, error)| match kind {
        ExternKind::Import => Misfit::ImportDiffers { import: name.into(), reason: in_words(error) },
        ExternKind::Export => Misfit::ExportDiffers { export: name.into(), reason: in_words(error) },
    }));
    misfits
}

/// Whether it is of the packages of WASI 0.2 that a node links; which interfaces and versions of them, the engine says.
fn is_served_wasi(import: &str) -> bool {
    ["cli", "clocks", "filesystem", "io", "random", "sockets"]
        .iter()
        .any(|package| import.strip_prefix("wasi:").is_some_and(|rest| rest.starts_with(&format!("{package}/"))))
}

fn missing(import: &str, offer: &Offer, dependencies: &Known, others: &Known) -> Misfit {
    let same = |name: &&String| unversioned(name) == unversioned(import);
    let other = |served: &String, by: &str| Misfit::OtherVersion { import: import.into(), served: served.clone(), by: by.into() };
    if let Some(served) = offer.interfaces.iter().find(same) {
        return other(served, "the node");
    }
    if let Some((package, served)) = dependencies.iter().find_map(|(package, exports)| Some((package, exports.iter().find(same)?))) {
        return other(served, package);
    }
    let hint = match others.iter().find(|(_, exports)| exports.iter().any(|export| same(&export))) {
        Some((package, _)) => format!(". The package {package} exports it: name that one under [dependencies] in package.toml"),
        None => String::new(),
    };
    Misfit::MissingImport { import: import.into(), hint }
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::tests::component;

    const NODE: &str = r#"
package test:node@0.1.2;
interface log { record line { text: string, level: u8 } write: func(line: line); later: func(); }
interface disk { resource file { read: func() -> list<u8>; } open: func(name: string) -> file; }
world process { import log; import disk; export init: func(our: string) -> result<_, string>; }
"#;

    fn offer() -> Offer {
        Offer::new([("node.wit", NODE)], "process").unwrap()
    }

    /// What is wrong with a component that was built against this text, for the last world in it.
    fn misfits(wit: &str, world: &str) -> Vec<String> {
        let known = Known::from([("api:ann".into(), BTreeSet::from(["test:api/calls@1.0.0".into()]))]);
        let others = Known::from([("more:bob".into(), BTreeSet::from(["test:more/calls@1.0.0".into()]))]);
        check(&component(wit, world), &offer(), &known, &others).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_built_for_the_node_fits_it() {
        assert_eq!(misfits(NODE, "process"), Vec::<String>::new());
        assert_eq!(offer().interfaces().iter().collect::<Vec<_>>(), ["test:node/disk@0.1.2", "test:node/log@0.1.2"]);
    }

    #[test]
    fn what_was_built_for_an_older_version_of_the_same_line_fits() {
        let older = NODE.replace("0.1.2", "0.1.0").replace(" later: func();", "");
        assert_eq!(misfits(&older, "process"), Vec::<String>::new());
    }

    #[test]
    fn another_line_of_versions_is_named_with_what_there_is() {
        let [disk, log] = misfits(&NODE.replace("0.1.2", "0.2.0"), "process").try_into().unwrap();
        assert!(log.contains("it was built for test:node/log@0.2.0, and the node has test:node/log@0.1.2"), "{log}");
        assert!(disk.contains("test:node/disk@0.2.0"), "{disk}");
    }

    #[test]
    fn a_field_that_differs_is_named_with_what_was_expected_and_found() {
        let [differs] = misfits(&NODE.replace("level: u8", "level: u32"), "process").try_into().unwrap();
        assert!(differs.contains("it imports test:node/log@0.1.2, but in another shape"), "{differs}");
        assert!(differs.contains("`level`") && differs.contains("u8") && differs.contains("u32"), "{differs}");
    }

    #[test]
    fn what_nobody_offers_is_named_with_the_package_that_would() {
        let wit = "package a:b; interface mine { call: func(); } world w { import mine; import test:more/calls@1.0.0; import test:api/calls@2.0.0; export init: func(our: string) -> result<_, string>; }
            package test:more@1.0.0 { interface calls { call: func(); } } package test:api@2.0.0 { interface calls { call: func(); } }";
        let found = misfits(wit, "w").join("\n");
        assert!(found.contains("it imports a:b/mine, which neither the node nor a package that it depends on offers\n"), "{found}");
        assert!(found.contains("The package more:bob exports it: name that one under [dependencies]"), "{found}");
        assert!(found.contains("it was built for test:api/calls@2.0.0, and api:ann has test:api/calls@1.0.0"), "{found}");
    }

    #[test]
    fn a_component_without_an_entry_is_told_what_a_process_exports() {
        let [missing] = misfits("package a:b; world w { export other: func(); }", "w").try_into().unwrap();
        assert!(missing.contains("it does not export init") && missing.contains("transship:host/process"), "{missing}");
        let [differs] = misfits("package a:b; world w { export init: func(our: u32) -> result<_, string>; }", "w").try_into().unwrap();
        assert!(differs.contains("it exports init, but in another shape"), "{differs}");
    }

    #[test]
    fn what_wasi_offers_is_left_to_the_engine() {
        let wit = "package a:b; world w { import wasi:cli/stdout@0.2.0; import wasi:http/types@0.2.0; export init: func(our: string) -> result<_, string>; }
            package wasi:cli@0.2.0 { interface stdout { call: func(); } } package wasi:http@0.2.0 { interface types { call: func(); } }";
        let [http] = misfits(wit, "w").try_into().unwrap();
        assert!(http.contains("wasi:http/types@0.2.0"), "{http}");
    }

    #[test]
    fn text_that_is_no_wit_is_refused() {
        assert!(Offer::new([("a.wit", "no wit")], "process").is_err());
        assert!(Offer::new([("a.wit", NODE)], "other").is_err());
    }
}
