//! The migrations are embedded; on stable Rust only this tells cargo that one of them changed.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=build.rs");
}
