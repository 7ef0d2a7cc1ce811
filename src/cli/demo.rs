//! `sextant demo`: the example organisation and the real daemon.

use std::net::SocketAddr;

use super::{Failure, runtime, say};
use crate::daemon;

/// Runs until it is told to stop.
pub(super) fn run(listen: SocketAddr) -> Result<(), Failure> {
    runtime()?.block_on(daemon::demo(listen, say))?;
    Ok(())
}
