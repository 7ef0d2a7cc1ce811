//! Processes under test: ours and Prometheus, on free ports of the loopback, ended by their own id when the test ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

/// How often something is asked for while it is waited for.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How often at most: three minutes, on a machine that is busy with other things.
const ASKED_MAX: u32 = 1800;

/// A process with its output in files.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts it; the test fails, and says how to mend it, if it is not installed.
    pub(crate) fn start(command: &mut Command, directory: &Path, name: &str) -> Self {
        let output = directory.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&output).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {command:?}: {error}; scripts/test installs what the tests need")
        });
        Self { child, output }
    }

    /// `sextant` with these arguments.
    pub(crate) fn sextant(arguments: &[&str], directory: &Path, name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
        Self::start(command.args(arguments), directory, name)
    }

    /// Everything that it has printed.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let told = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
    }

    /// `kill -9`, and gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until the answer is yes; the test fails if it never is.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    for _ in 0..ASKED_MAX {
        ticks.tick().await;
        if is_so().await {
            return;
        }
    }
    panic!("{what}: not within {ASKED_MAX} times {} ms", ASK_EVERY.as_millis());
}

/// The status and the text of an answer; `None` if there is none.
pub(crate) async fn get(url: &str) -> Option<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let answer = client.get(url).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// The value of the series whose line begins like this.
pub(crate) fn value(metrics: &str, begins: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(begins))?;
    line.rsplit_once(' ')?.1.parse().ok()
}
