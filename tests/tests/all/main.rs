//! The behaviour of transship, seen from outside: one module for each command or behaviour. Nodes are real, each a process of its own on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::type_complexity)]

mod capabilities;
mod command_alone;
mod command_denied;
mod command_dev;
mod command_line;
mod command_package;
mod command_peers;
mod command_progress;
mod command_test;
mod example_chat;
mod examples;
mod flipped_bits;
mod general_host;
mod guide;
mod homes;
mod hostile_guests;
mod hostile_packages;
mod hostile_peer;
mod hostile_requests;
mod hostile_senders;
mod hostile_trees;
mod killed_nodes;
mod left_behind;
mod limited;
mod limits;
mod memory;
mod messages;
mod package_build;
mod package_dependencies;
mod package_grants;
mod package_new;
mod package_running;
mod package_scripts;
mod processes;
mod progress;
mod queued;
mod queued_writes;
mod refusals;
mod refused_files;
mod resume;
mod resume_at_once;
mod seeds_a;
mod seeds_a_faults;
mod seeds_b;
mod seeds_c;
mod seeds_d;
mod seeds_e;
mod sizes_and_names;
mod slow_lines;
mod starting;
mod stopped;
mod streams;
mod third_party;
mod trees;
mod trees_changes;
mod trees_choice;
mod trees_conflicts;
mod trees_hostile_receiver;
mod trees_hostile_sender;
mod trees_links;
mod trees_many;
mod trees_places;
mod trees_progress;
mod trees_resume;
mod trees_rewritten;
mod wasi;
mod wire;
mod wit_reference;

/// A file that is not listed above would be no test at all.
#[test]
fn every_file_of_this_folder_is_a_module() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || name == "snapshots" || listed.contains(&format!("\nmod {module};")), "{name} is not listed in main.rs");
    }
}
