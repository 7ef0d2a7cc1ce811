//! `sextant demo`: the simulated organisation and the real daemon, in one process, over loopback.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::push::Pusher;
use super::asked::{Asked, Signals};
use super::{Daemon, system_clock};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::demo::config::{Paths, config_toml};
use crate::demo::generate::{DAYS, REPOSITORY_COUNT, TEAM_COUNT, generate};
use crate::demo::live::Live;
use crate::demo::serve::{Options, Servers, serve};
use crate::demo::world::SharedWorld;
use crate::demo::{guardrails, signals};
use crate::model::time::Timestamp;

mod push;

/// Bytes of the token that the example pushes with: it cannot be guessed.
const PUSH_TOKEN_BYTES: usize = 16;
/// The same organisation every time.
const SEED: u64 = 20_26;
/// How often something happens.
const LIVE_INTERVAL: Duration = Duration::from_secs(3);
/// Often enough to see numbers move, and inside the simulated rate limit for hours: at this rate of events, reading
/// every five seconds takes all of it.
const POLL_INTERVAL: &str = "10s";
/// Directories of earlier runs with the same process id that were killed, before there must be another reason.
const DIRECTORIES_MAX: u32 = 100;

/// Runs until SIGTERM or SIGINT; `say` prints a line for a person.
pub async fn run(listen: SocketAddr, say: fn(&str)) -> anyhow::Result<()> {
    let clock = system_clock();
    let directory = Directory::new()?;
    let world = SharedWorld::new(generate(SEED, Timestamp::from(clock.now())));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = Options::default();
    let servers = serve(world.clone(), options.clone(), &tasks, stop.clone()).await?;
    let push_token = push_token()?;
    let mut toml = configuration(&world, &servers, &options, &directory.0, listen)?;
    let push_token_file = secret(&directory.0, "push-token", push_token.expose_secret())?;
    toml += &signals::config_toml(&push_token_file, clock.now().into());
    toml += &guardrails::config_toml();
    let config =
        Config::parse(&toml, "demo.toml", &|_| None).map_err(|errors| anyhow::anyhow!("{errors}"))?;
    let mut signals = Signals::new()?;
    let daemon = Daemon::start(config, Arc::clone(&clock)).await?;
    let pusher = Pusher::new(daemon.address(), push_token, Arc::clone(&clock))?;
    tasks.spawn(pusher.run(stop.clone()));
    tasks.spawn(live(world, clock, stop.clone()));
    say(&greeting(daemon.address(), &servers));
    let mut computed = daemon.computed();
    tasks.spawn({
        let stop = stop.clone();
        async move {
            let read = computed.wait_for(|newest| {
                newest
                    .as_ref()
                    .is_some_and(|computed| computed.snapshot.organization.last_deployment_at.is_some())
            });
            tokio::select! {
                () = stop.cancelled() => {}
                read = read => if read.is_ok() { say("the first numbers are there, newest history first") },
            }
        }
    });
    while let Asked::Reload = signals.next().await {
        tracing::info!("the example has no configuration to read again");
    }
    daemon.stop().await?;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

fn greeting(address: SocketAddr, servers: &Servers) -> String {
    format!(
        "sextant demo: {TEAM_COUNT} teams, {REPOSITORY_COUNT} repositories, {DAYS} days of history, and something \
         happens every {} seconds\n\n  \
         http://{address}/         the teams at a glance\n  \
         http://{address}/metrics  everything, for Prometheus\n\n\
         simulated GitHub at {}, simulated PagerDuty at {}; Ctrl-C ends it",
        LIVE_INTERVAL.as_secs(),
        servers.github.url,
        servers.pagerduty.url,
    )
}

fn configuration(
    world: &SharedWorld,
    servers: &Servers,
    options: &Options,
    directory: &Path,
    listen: SocketAddr,
) -> anyhow::Result<String> {
    let github_token_file = secret(directory, "github-token", &options.github_token)?;
    let pagerduty_token_file = secret(directory, "pagerduty-token", &options.pagerduty_token)?;
    let paths = Paths {
        github_url: &servers.github.url,
        pagerduty_url: &servers.pagerduty.url,
        github_token_file: &github_token_file,
        pagerduty_token_file: &pagerduty_token_file,
        listen: &listen.to_string(),
        store_url: &format!("sqlite:{}", directory.join("sextant.db").display()),
        poll_interval: POLL_INTERVAL,
    };
    Ok(config_toml(&world.lock(), &paths))
}

/// Writes a file that nobody else may read, since the directory is ours alone.
fn secret(directory: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = directory.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Another token in every run, from the system's source of chance.
fn push_token() -> anyhow::Result<SecretString> {
    let mut bytes = [0_u8; PUSH_TOKEN_BYTES];
    File::open("/dev/urandom").and_then(|mut chance| chance.read_exact(&mut bytes))?;
    Ok(SecretString::from(bytes.map(|byte| format!("{byte:02x}")).concat()))
}

/// Lets something happen every few seconds, until it is cancelled.
async fn live(world: SharedWorld, clock: SharedClock, stop: CancellationToken) {
    let mut live = Live::new(&world.lock(), SEED);
    let mut ticks = tokio::time::interval(LIVE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                let now = Timestamp::from(clock.now());
                world.tell(|world| live.step(world, now));
            }
        }
    }
}

/// A directory of this process alone, which nobody else may read, removed with everything in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> anyhow::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        let mut attempt = 0;
        loop {
            let path = std::env::temp_dir().join(format!("sextant-demo-{}-{attempt}", std::process::id()));
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Another world's store is in it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < DIRECTORIES_MAX => {
                    attempt += 1;
                }
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}
