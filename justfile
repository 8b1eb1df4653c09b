# `just` lists the recipes. On a machine without just, `./run RECIPE` installs what is lacking and then does the same.

set shell := ["bash", "-euo", "pipefail", "-c"]
# What a recipe is given is in "$@" too.
set positional-arguments

# The tools that ./run installed are found here, by `just` alone as well.
export PATH := justfile_directory() / "target/tools/bin" + ":" + env("PATH")
# And the module that makes components out of JavaScript.
export NODE_PATH := justfile_directory() / "target/tools/node/node_modules"

wasm := "wasm32-unknown-unknown"
built := "components/target" / wasm / "release"
# The toolchain that components are built with, where it is another than the default one (see scripts/tools).
guest := `cat target/tools/guest-toolchain 2>/dev/null || true`
guest_env := if guest == "" { "" } else { "RUSTUP_TOOLCHAIN=" + guest }
guest_flags := if guest == "" { "" } else { "--ignore-rust-version" }
# nextest where it is installed, otherwise what Cargo has.
test := `if command -v cargo-nextest >/dev/null; then echo "nextest run --no-tests=pass"; else echo test; fi`
# What the components' own tests are built with: optimising the whole is for what is shipped.
unit := "CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0"
# The tests that this machine does not allow write a line into it.
skipped := justfile_directory() / "target/skipped-tests"

[private]
default:
    @just --list --unsorted

# Build the components and pack them into target/packages
[group('build')]
components:
    cd components && {{ guest_env }} cargo component build --release --workspace --locked --target {{ wasm }} {{ guest_flags }}
    cargo build --release --workspace --locked --bin transship-pack
    for folder in $(dirname components/*/package.toml); do target/release/transship-pack "$folder" --components {{ built }} --out "target/packages/$(basename "$folder").transship"; done
    # One as others build them: for cargo-component's own default target, and for the next one where this Rust has it.
    for target in wasm32-wasip1 wasm32-wasip2; do if compgen -G "$({{ guest_env }} rustc --print sysroot)/lib/rustlib/$target/lib/libstd-*.rlib" >/dev/null; then (cd components && {{ guest_env }} cargo component build --release --package visitor --locked --target $target {{ guest_flags }}); target/release/transship-pack components/tests/visitor --components components/target/$target/release --out target/test-packages/visitor-$target.transship; fi; done
    # Those of the tests are packed too, but not put inside the command.
    for folder in $(dirname components/tests/*/package.toml); do target/release/transship-pack "$folder" --components {{ built }} --out "target/test-packages/$(basename "$folder").transship"; done
    # So are the examples in Rust; those in other languages are built by `transship package build`.
    for folder in $(dirname components/examples/*/Cargo.toml); do target/release/transship-pack "$folder" --components {{ built }} --out "target/example-packages/$(basename "$folder").transship"; done

# Build everything: the command is target/release/transship, with the packages inside
[group('build')]
build: components
    cargo build --release --workspace --locked

# Build what is shipped (optimised as a whole, without symbols): target/dist/transship
[group('build')]
dist: components
    cargo build --profile dist --package transship --locked
    @ls -lh target/dist/transship

# Build, and put the command where cargo puts commands
[group('build')]
install: build
    install -D target/release/transship "${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin/transship"

# Two nodes on this machine move a real file
[group('run')]
demo: build
    scripts/demo

# How fast it is, against other programs and a bare one: `just bench --list` says what there is, `just bench file --runs 3 --json FILE` runs some of it, `just bench small` the small ones (criterion)
[group('run')]
bench *ARGUMENTS: build
    if [ "${1:-}" != small ]; then target/release/transship-bench "$@"; fi
    if [ "${1:-small}" = small ]; then cargo bench --profile release --workspace --locked --bench small -- "${@:2}"; fi

# From `package new` to a first answer of it, in each language
[group('run')]
first-answer: build
    scripts/first-answer

# All tests: the components' own, the examples in the documentation, then everything on the native side
[group('check')]
test: build
    cd components && {{ unit }} cargo {{ test }} --release --workspace --locked
    cd components && {{ unit }} cargo test --release --workspace --locked --doc --quiet
    # `--doc` takes no notice of `doctest = false`: the SDK's files in bench/double have their examples tested above.
    cargo test --release --workspace --locked --doc --quiet --exclude 'double-*'
    # What this machine does not allow is said at the end, also when a test failed.
    @rm -f {{ skipped }}
    trap 'if [ -s {{ skipped }} ]; then echo "skipped on this machine:"; sort -u {{ skipped }}; fi' EXIT; TRANSSHIP_SKIPPED={{ skipped }} cargo {{ test }} --release --workspace --locked

# Formatting and lints, in both workspaces
[group('check')]
lint: components
    cargo fmt --check
    cd components && cargo fmt --check
    cargo clippy --release --workspace --locked --all-targets -- --deny warnings
    cd components && {{ unit }} cargo clippy --release --workspace --locked --all-targets -- --deny warnings
    {{ if guest == "" { "cd components && cargo clippy --release --workspace --locked --target " + wasm + " -- --deny warnings" } else { "@echo 'lint: no clippy for " + wasm + ", since its library comes from the distribution'" } }}

# The documentation, without broken links: target/doc/transship/index.html
[group('check')]
docs: components
    # Those who read a module head in the sources follow its links to private items too.
    RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --release --workspace --locked --no-deps
    # That of the SDK is at components/target/doc/transship_guest/index.html.
    cd components && {{ unit }} RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --release --workspace --locked --no-deps

# What CI runs
[group('check')]
ci: lint docs test
