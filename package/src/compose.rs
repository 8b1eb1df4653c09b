//! Composition: plugging what some components export into what another imports.
//!
//! [`plug`] makes one component out of several: where the *socket* imports an interface that a *plug* exports, under the same name or one of a compatible version, the two are joined. What is left
//! of their imports becomes the imports of the whole, shared by all parts: a resource that comes from the node is one and the same type in each of them. The exports of the
//! whole are the socket's.
//!
//! What always holds: every plug is used, and every interface that both sides name fits. An interface of the same name that differs is an error that says where, never
//! an import that is quietly left open.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use wac_graph::types::{ItemKind, Package, SubtypeChecker, Types, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId, PackageId};

/// Why components don't fit together. `part` is the name of a plug as the caller gave it, or `socket`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// Not a component that can be read.
    #[error("{part} is not a valid component: {reason}")]
    Invalid {
        /// Which.
        part: String,
        /// Why.
        reason: String,
    },
    /// A plug exports nothing that the socket imports.
    #[error("{plug} fits nowhere: it exports {exports}, but the component that it should be plugged into imports {imports}")]
    NothingFits {
        /// The plug.
        plug: String,
        /// What it exports, in words.
        exports: String,
        /// What the socket imports.
        imports: String,
    },
    /// An interface of the same name, but of another shape.
    #[error("{plug} exports {export}, but not as it is imported: {reason}")]
    Differs {
        /// The plug.
        plug: String,
        /// The interface or function.
        export: String,
        /// The first difference, from the outside in.
        reason: String,
    },
    /// Two plugs for one import.
    #[error("both {first} and {second} export {import}: plug in one of them")]
    Ambiguous {
        /// The import.
        import: String,
        /// One plug.
        first: String,
        /// The other.
        second: String,
    },
    /// What several parts import from outside differs between them.
    #[error("the parts disagree about {import}, which they all import: {reason}. Build them against the same version of it")]
    Disagree {
        /// The import.
        import: String,
        /// Why.
        reason: String,
    },
    /// The composed component is not valid.
    #[error("the composed component is not valid: {0}")]
    Failed(String),
}

/// Plugs the exports of `plugs` (each with a name for messages) into the imports of `socket`. With no plugs it is `socket` that comes back.
///
/// # Errors
/// [`ComposeError`], in words for the one who built the components.
pub fn plug(socket: &[u8], plugs: &[(&str, &[u8])]) -> Result<Vec<u8>, ComposeError> {
    if plugs.is_empty() {
        return Ok(socket.to_vec());
    }
    let mut graph = CompositionGraph::new();
    let socket_package = register(&mut graph, "socket", "socket", socket)?;
    let socket_node = graph.instantiate(socket_package);
    let imports = items(&graph, socket_package, Side::Imports);
    let mut filled: BTreeMap<String, &str> = BTreeMap::new();
    for (number, (name, bytes)) in plugs.iter().enumerate() {
        let package = register(&mut graph, &format!("plug{number}"), name, bytes)?;
        let joints = joints(&graph, name, package, &imports)?;
        let plug_node = graph.instantiate(package);
        for (export, import) in joints {
            if let Some(first) = filled.insert(import.clone(), name) {
                return Err(ComposeError::Ambiguous { import, first: first.into(), second: (*name).into() });
            }
            join(&mut graph, plug_node, &export, socket_node, &import).map_err(|reason| ComposeError::Differs { plug: (*name).into(), export, reason })?;
        }
    }
    for (export, _) in items(&graph, socket_package, Side::Exports) {
        let node = graph.alias_instance_export(socket_node, &export).map_err(|error| ComposeError::Failed(chain(&error)))?;
        graph.export(node, &export).map_err(|error| ComposeError::Failed(chain(&error)))?;
    }
    graph.encode(EncodeOptions::default()).map_err(|error| encoding_error(&error))
}

/// Whether a plug exports anything that the socket imports, by name and line of versions.
///
/// # Errors
/// [`ComposeError::Invalid`] if one of them is not a component.
pub fn meets(socket: &[u8], plug: &[u8]) -> Result<bool, ComposeError> {
    let imports = names(socket, Side::Imports)?;
    Ok(names(plug, Side::Exports)?.iter().any(|export| imports.iter().any(|import| import == export || are_semver_compatible(export, import))))
}

/// The names of what a component imports (interfaces, and functions of its world).
///
/// # Errors
/// [`ComposeError::Invalid`] if it is not a component.
pub fn imports(component: &[u8]) -> Result<BTreeSet<String>, ComposeError> {
    names(component, Side::Imports)
}

/// The names of what a component exports.
///
/// # Errors
/// [`ComposeError::Invalid`] if it is not a component.
pub fn exports(component: &[u8]) -> Result<BTreeSet<String>, ComposeError> {
    names(component, Side::Exports)
}

#[derive(Clone, Copy)]
enum Side {
    Imports,
    Exports,
}

fn names(component: &[u8], side: Side) -> Result<BTreeSet<String>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let package = register(&mut graph, "component", "the file", component)?;
    Ok(items(&graph, package, side).into_iter().map(|(name, _)| name).collect())
}

fn register(graph: &mut CompositionGraph, name: &str, part: &str, bytes: &[u8]) -> Result<PackageId, ComposeError> {
    let invalid = |reason| ComposeError::Invalid { part: part.into(), reason };
    let package = Package::from_bytes(name, None, bytes, graph.types_mut()).map_err(|error| invalid(format!("{error:#}")))?;
    graph.register_package(package).map_err(|error| invalid(chain(&error)))
}

fn items(graph: &CompositionGraph, package: PackageId, side: Side) -> Vec<(String, ItemKind)> {
    let world = &graph.types()[graph[package].ty()];
    let items = match side {
        Side::Imports => &world.imports,
        Side::Exports => &world.exports,
    };
    items.iter().map(|(name, kind)| (name.clone(), *kind)).collect()
}

/// Which export of a plug goes into which import of the socket.
fn joints(graph: &CompositionGraph, plug: &str, package: PackageId, imports: &[(String, ItemKind)]) -> Result<Vec<(String, String)>, ComposeError> {
    let exports = items(graph, package, Side::Exports);
    let mut joints = Vec::new();
    let mut cache = HashSet::new();
    let mut checker = SubtypeChecker::new(&mut cache);
    for (export, offered) in &exports {
        let same = imports.iter().find(|(import, _)| import == export);
        let Some((import, wanted)) = same.or_else(|| imports.iter().find(|(import, _)| are_semver_compatible(export, import))) else {
            continue;
        };
        let fit = checker.is_subtype(*offered, graph.types(), *wanted, graph.types());
        fit.map_err(|error| ComposeError::Differs { plug: plug.into(), export: export.clone(), reason: in_words(&error) })?;
        joints.push((export.clone(), import.clone()));
    }
    if joints.is_empty() {
        let imports = imports.iter().map(|(name, _)| name);
        return Err(ComposeError::NothingFits { plug: plug.into(), exports: list(exports.iter().map(|(name, _)| name)), imports: list(imports) });
    }
    Ok(joints)
}

fn join(graph: &mut CompositionGraph, plug: NodeId, export: &str, socket: NodeId, import: &str) -> Result<(), String> {
    let node = graph.alias_instance_export(plug, export).map_err(|error| chain(&error))?;
    graph.set_instantiation_argument(socket, import, node).map_err(|error| chain(&error))
}

/// Names as part of a sentence.
fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn encoding_error(error: &EncodeError) -> ComposeError {
    match error {
        EncodeError::ImportTypeMergeConflict { import, source, .. } => ComposeError::Disagree { import: import.clone(), reason: in_words(source) },
        other => ComposeError::Failed(chain(other)),
    }
}

/// An error and all its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Reads a component into a collection of types, to compare it with others there.
pub(crate) fn register_in(types: &mut Types, name: &str, bytes: &[u8]) -> Result<Package, String> {
    Package::from_bytes(name, None, bytes, types).map_err(|error| format!("it is not a valid component: {error:#}"))
}

/// The path to a difference between two types and the difference, in fewer words than the checker's.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let short = |step: String| {
        let step = step.strip_prefix("mismatched type for ").unwrap_or(&step).to_owned();
        if let Some(name) = step.strip_prefix("export ") {
            return name.to_owned();
        }
        match step.strip_prefix("instance is missing expected ").and_then(|what| what.split_once(" export ")) {
            Some((kind, name)) => format!("it has no {kind} {name}"),
            None => step,
        }
    };
    error.chain().map(|step| short(step.to_string())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(crate) mod tests;
