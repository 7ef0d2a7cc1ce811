//! Writes the Grafana dashboards into `dashboards/`: `cargo run --example dashboards`.
//!
//! What a number means, its unit and its labels come from the catalogue; what is on which board, and why it may be
//! empty, is in the file of each board. A test regenerates them and compares.

// Named by path, as the test names it, so that its modules are beside it.
#[path = "boards.rs"]
mod boards;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    for board in boards::all() {
        std::fs::write(folder.join(board.file()), board.text()?)?;
    }
    Ok(())
}
