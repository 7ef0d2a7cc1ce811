//! The other side: the simulated world behind its servers, and the process that reads it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use sextant::clock::{Clock, SystemClock};
use sextant::demo::config::{Paths, config_toml};
use sextant::demo::generate::sized::{Size, organization_name};
use sextant::demo::serve::{Options, Servers, serve};
use sextant::demo::world::deployment::{DeploymentKey, State};
use sextant::demo::world::pull::{Method, Proposal};
use sextant::demo::world::repository::RepositoryKey;
use sextant::demo::world::{SharedWorld, World};
use sextant::model::name::CommitId;
use sextant::model::time::{Span, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::Failure;
use crate::side::Took;

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "whs-s3cr3t-0123456789";
/// A budget that counts and never ends.
const POINTS_NEVER_SPENT: u64 = 1_000_000_000;
/// Ticks of the kernel's clock in a second, as it says in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// A world with servers of its own, an empty store, and a configuration that names them.
pub(crate) struct Stage {
    pub(crate) world: SharedWorld,
    /// Where the daemon's side listens.
    pub(crate) listen: String,
    servers: Servers,
    directory: TempDir,
    _stop: DropGuard,
}

/// What the servers were asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) github: u64,
    pub(crate) points: u64,
    pub(crate) pagerduty: u64,
}

impl Asked {
    /// What was asked since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            github: self.github - before.github,
            points: self.points - before.points,
            pagerduty: self.pagerduty - before.pagerduty,
        }
    }
}

impl Stage {
    /// Servers that answer so late, of a world with so much history to read.
    pub(crate) async fn set(world: World, history: &str, latency: Duration) -> Result<Self, Failure> {
        let world = SharedWorld::new(world);
        let directory = tempfile::tempdir()?;
        let options = Options { latency, ..Options::default() };
        let (github_token_file, pagerduty_token_file) =
            (directory.path().join("github"), directory.path().join("pagerduty"));
        std::fs::write(&github_token_file, &options.github_token)?;
        std::fs::write(&pagerduty_token_file, &options.pagerduty_token)?;
        let (push_token_file, secret_file) = (
            directory.path().join("push").display().to_string(),
            directory.path().join("secret").display().to_string(),
        );
        std::fs::write(&push_token_file, "push-s3cr3t-0123456789")?;
        std::fs::write(&secret_file, SECRET)?;
        let listen = free_address()?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let servers = serve(world.clone(), options, &tracker, stop.clone()).await?;
        let paths = Paths {
            github_url: &servers.github.url,
            pagerduty_url: &servers.pagerduty.url,
            github_token_file: &github_token_file,
            pagerduty_token_file: &pagerduty_token_file,
            listen: &listen,
            store_url: &format!("sqlite:{}", directory.path().join("sextant.db").display()),
            poll_interval: "60s",
        };
        let toml = config_toml(&world.lock(), &paths).replace("\"180d\"", &format!("\"{history}\""));
        let push = format!(
            "\n[server.push]\ntoken_file = {push_token_file:?}\ngithub_webhook_secret_file = {secret_file:?}\n"
        );
        std::fs::write(directory.path().join("sextant.toml"), toml + &push)?;
        Ok(Self { world, listen, servers, directory, _stop: stop.drop_guard() })
    }

    /// The same for a world of any size, which nothing limits but what it is asked.
    pub(crate) async fn set_sized(world: World, size: &Size, latency: Duration) -> Result<Self, Failure> {
        let owners: Vec<String> =
            (0..size.organizations).map(|it| format!("{:?}", organization_name(it))).collect();
        let world = SharedWorld::new(world);
        let directory = tempfile::tempdir()?;
        let options = Options { latency, github_points_per_hour: POINTS_NEVER_SPENT, ..Options::default() };
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("github"), &options.github_token)?;
        std::fs::write(path("pagerduty"), &options.pagerduty_token)?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let servers = serve(world.clone(), options, &tracker, stop.clone()).await?;
        let toml = format!(
            "[organization]\nname = \"acme\"\n[store]\nurl = \"sqlite:{}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
             [[github]]\nname = \"github\"\napi_url = {:?}\ntoken_file = {:?}\norganizations = [{}]\n\
             poll_interval = \"60s\"\nhistory = \"{}d\"\nteams_from = \"github_teams\"\n\
             [[pagerduty]]\nname = \"pagerduty\"\napi_url = {:?}\ntoken_file = {:?}\npoll_interval = \"5m\"\n",
            path("sextant.db"),
            servers.github.url,
            path("github"),
            owners.join(", "),
            size.days,
            servers.pagerduty.url,
            path("pagerduty"),
        );
        std::fs::write(path("sextant.toml"), toml)?;
        Ok(Self { world, listen: String::new(), servers, directory, _stop: stop.drop_guard() })
    }

    /// One cycle after both clocks moved on by so much.
    pub(crate) fn moved(&self, side: &mut Side, by: Span) -> Result<(Asked, Took), Failure> {
        let before = self.asked();
        let to = self.world.lock().now.plus(by);
        self.world.tell(|world| world.advance(to));
        let took = side.cycle_after(by)?;
        Ok((self.asked().since(before), took))
    }

    /// Starts a side of [`crate::side`] on the stage's store.
    pub(crate) fn side(&self, side: &str) -> Result<Side, Failure> {
        let config = self.directory.path().join("sextant.toml");
        Side::start(side, &config)
    }

    /// The present, or where the world's clock was moved to.
    fn now(&self) -> Timestamp {
        present().max(self.world.lock().now)
    }

    /// What the servers have been asked so far.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            github: self.servers.github.tally.requests(),
            points: self.servers.github.tally.points(),
            pagerduty: self.servers.pagerduty.tally.requests(),
        }
    }

    /// GitHub's requests by operation.
    pub(crate) fn operations(&self) -> String {
        let operations = self.servers.github.tally.by_operation();
        let said = operations.iter().map(|(name, count)| format!("{name} {count}"));
        said.collect::<Vec<_>>().join(", ")
    }

    /// Merges a pull request of today in each of these repositories.
    pub(crate) fn merge(&self, keys: &[RepositoryKey]) -> Vec<CommitId> {
        let now = self.now();
        self.world.tell(|world| {
            world.advance(now);
            let merged = keys.iter().map(|key| {
                let proposal =
                    Proposal::new("Do better", "uma").commit(now.minus(Span::from_hours(2)), "Better");
                let pull = world.open_pull(*key, proposal, now);
                world.merge(pull, Method::Squash, now)
            });
            merged.collect()
        })
    }

    /// Deploys a commit to production, now.
    pub(crate) fn deploy(&self, key: RepositoryKey, commit: CommitId) -> DeploymentKey {
        let now = self.now();
        self.world.tell(|world| {
            world.advance(now);
            let deployment = world.deploy(key, commit, "production", now);
            world.status(deployment, State::Success, now);
            deployment
        })
    }
}

/// An address of this machine that was free a moment ago.
fn free_address() -> Result<String, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// GitHub's clocks have no fractions of a second.
pub(crate) fn present() -> Timestamp {
    let now = Timestamp::from(SystemClock.now());
    Timestamp::from_millis(now.millis() - now.millis().rem_euclid(1_000))
}

/// The process that is the daemon's side.
pub(crate) struct Side {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Side {
    fn start(side: &str, config: &Path) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--side")
            .arg(side)
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("a side without an output")?;
        Ok(Self { input: process.stdin.take(), output: BufReader::new(output).lines(), process })
    }

    /// What it says next.
    pub(crate) fn hear(&mut self) -> Result<Took, Failure> {
        let line = self.output.next().ok_or("a side ended early")??;
        Ok(serde_json::from_str(&line)?)
    }

    /// One cycle: every source once, and a snapshot.
    pub(crate) fn cycle(&mut self) -> Result<Took, Failure> {
        let input = self.input.as_mut().ok_or("a side without an input")?;
        input.write_all(b"cycle\n")?;
        self.hear()
    }

    /// One cycle, so much later.
    fn cycle_after(&mut self, by: Span) -> Result<Took, Failure> {
        let input = self.input.as_mut().ok_or("a side without an input")?;
        writeln!(input, "{}", by.millis())?;
        self.hear()
    }

    /// A line of the kernel's about its memory: `VmRSS`, `VmHWM`, `RssAnon`, in KiB.
    pub(crate) fn memory_kib(&self, what: &str) -> Result<u64, Failure> {
        let status = self.proc("status")?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let value = line.and_then(|line| line.split_whitespace().next());
        Ok(value.ok_or("the kernel does not say")?.parse()?)
    }

    /// The processor time it has used, to the tick.
    pub(crate) fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = self.proc("stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no such line")?;
        // The 14th and 15th of all fields; the name in brackets is the second.
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(TICK * ticks)
    }

    fn proc(&self, file: &str) -> Result<String, Failure> {
        let id = self.process.id();
        Ok(std::fs::read_to_string(format!("/proc/{id}/{file}"))?)
    }

    /// Lets it end in order.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        for line in self.output {
            line?;
        }
        self.process.wait()?;
        Ok(())
    }
}
