//! What the daemon asks, takes and holds, as a table: `cargo run --release --example load -- --latency-ms 20`.
//!
//! The simulated servers run here and count what they are asked; the daemon's side is another process, this program
//! started again. Machines differ and are shared: compare requests, points and ratios first, and the times, which are
//! medians, only with those of the same run.

#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use sextant::demo::generate::generate;
use sextant::demo::world::World;
use sextant::demo::world::repository::RepositoryKey;
use tokio::runtime::Runtime;

use side::Took;
use stage::{Asked, Side, Stage, present};

mod hook;
mod side;
mod sized;
mod stage;

type Failure = Box<dyn std::error::Error>;

/// How long the whole daemon runs after its first read before its memory is looked at.
const STEADY: Duration = Duration::from_secs(20);
/// Polls of a first sync: with fewer the table would speak of a part of it.
const POLLS_MAX: u32 = 100;
/// Merges at once, each in a repository of its own.
const BURST: usize = 8;

#[derive(Parser)]
struct Arguments {
    /// The delay of the second first sync: every answer comes so much later.
    #[arg(long, default_value_t = 20)]
    latency_ms: u64,
    /// What the example organisation grows from.
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// Runs to take the median of.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Idle cycles to take the processor time of.
    #[arg(long, default_value_t = 100)]
    cycles: u32,
    /// Instead of the example organisation: a world of so many repositories, on a clock that is moved.
    #[arg(long)]
    repositories: Option<usize>,
    /// With `--repositories`: in so many organisations.
    #[arg(long, default_value_t = 1)]
    organisations: usize,
    /// With `--repositories`: the share of them that is worked on; 0: hardly any history at all.
    #[arg(long, default_value_t = 0.3)]
    active_share: f64,
    /// Internal: be the daemon's side, `steps` or `daemon`, with the configuration that follows.
    #[arg(long, num_args = 2, hide = true)]
    side: Option<Vec<PathBuf>>,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if let Some([side, config]) = arguments.side.as_deref() {
        return side::run(&side.to_string_lossy(), config);
    }
    let load = Load { runtime: Runtime::new()?, world: generate(arguments.seed, present()), arguments };
    let Some(repositories) = load.arguments.repositories else {
        return load.tell();
    };
    let per_mille = (load.arguments.active_share.clamp(0.0, 1.0) * 1_000.0).round();
    load.tell_sized(&sized::Asking {
        repositories,
        organizations: load.arguments.organisations.max(1),
        active_per_mille: format!("{per_mille}").parse()?,
        latency: Duration::from_millis(load.arguments.latency_ms),
    })
}

fn row(what: impl Display, target: impl Display, measured: impl Display) {
    println!("| {what} | {target} | {measured} |");
}

struct Load {
    runtime: Runtime,
    world: World,
    arguments: Arguments,
}

/// A first sync, and the stage on which it was.
struct Synced {
    stage: Stage,
    side: Side,
    asked: Asked,
    took: Took,
}

impl Load {
    fn tell(&self) -> Result<(), Failure> {
        let Arguments { seed, runs, .. } = self.arguments;
        let cores = std::thread::available_parallelism()?;
        println!(
            "The example organisation of seed {seed}; times are medians of {runs} runs on {cores} cores, which the \
             simulated servers share. Requests and points are GitHub's, as the simulated GitHub counted them.\n"
        );
        println!("| what | target | measured |");
        println!("| --- | --- | --- |");
        self.month()?;
        self.half_year()?;
        self.whole_daemon()
    }

    fn stage(&self, history: &str, latency: Duration) -> Result<Stage, Failure> {
        self.runtime.block_on(Stage::set(self.world.clone(), history, latency))
    }

    fn sync(&self, history: &str, latency: Duration) -> Result<Synced, Failure> {
        let stage = self.stage(history, latency)?;
        let mut side = stage.side("steps")?;
        side.hear()?;
        let mut took = side.cycle()?;
        // What does not fit one poll interval goes on in the next poll, at once.
        for _ in 1..POLLS_MAX {
            if took.complete {
                break;
            }
            let next = side.cycle()?;
            let (github, pagerduty) = (took.github + next.github, took.pagerduty + next.pagerduty);
            took = Took { github, pagerduty, ..next };
        }
        let asked = stage.asked();
        Ok(Synced { stage, side, asked, took })
    }

    /// First syncs with and without latency; the last one goes on.
    fn syncs(&self, history: &str, targets: [&str; 3]) -> Result<Synced, Failure> {
        let late = Duration::from_millis(self.arguments.latency_ms);
        let time = |latency| -> Result<Duration, Failure> {
            let runs = (0..self.arguments.runs).map(|_| {
                let synced = self.sync(history, latency)?;
                synced.side.end()?;
                Ok(synced.took.github)
            });
            Ok(median(runs.collect::<Result<_, Failure>>()?))
        };
        let (prompt, delayed) = (time(Duration::ZERO)?, time(late)?);
        let synced = self.sync(history, Duration::ZERO)?;
        let Synced { stage, asked, took, .. } = &synced;
        let what = format!("first sync of 40 repositories × {history}");
        let facts = ["repository", "change", "commit", "attempt", "incident"];
        let facts = facts.map(|fact| format!("{fact} {}", took.rows(fact)));
        row(format!("{what}: facts"), "", facts.join(", "));
        row(format!("{what}: requests"), targets[0], format!("{}, {} points", asked.github, asked.points));
        row(format!("{what}: of these"), "", stage.operations());
        row(format!("{what}: no latency"), targets[1], millis(prompt));
        row(format!("{what}: {} ms an answer", late.as_millis()), targets[2], millis(delayed));
        row(
            format!("{what}: requests to PagerDuty"),
            "",
            format!("{}, {}", asked.pagerduty, millis(took.pagerduty)),
        );
        Ok(synced)
    }

    fn month(&self) -> Result<(), Failure> {
        let targets = ["≤ 126", "≤ 1.5 s", "≤ 4.4 s with 20 ms"];
        let Synced { stage, mut side, .. } = self.syncs("31d", targets)?;
        let idle = self.idle(&stage, &mut side)?;
        row("idle cycle: requests", "≤ 4", asked(idle));
        let keys = repositories(&stage);
        stage.merge(&keys);
        let (burst, took) = cycle(&stage, &mut side)?;
        row(
            format!("the cycle that finds {BURST} new merged pull requests in {} repositories", keys.len()),
            "≤ 12 requests",
            format!("{}; {}", asked(burst), millis(took.github)),
        );
        let key = *keys.first().ok_or("no repository deploys")?;
        let landings = stage.merge(&[key]);
        stage.deploy(key, *landings.first().ok_or("nothing was merged")?);
        let one = cycle(&stage, &mut side)?.0.since(idle);
        row(
            "one merged pull request and its deployment, beyond the idle cycle",
            "≤ 6 requests, ≤ 4 points",
            asked(one),
        );
        side.end()
    }

    /// What an idle cycle asks, the same every time or the most of several.
    fn idle(&self, stage: &Stage, side: &mut Side) -> Result<Asked, Failure> {
        let mut most = Asked::default();
        for _ in 0..self.arguments.runs {
            let (asked, _) = cycle(stage, side)?;
            most.github = most.github.max(asked.github);
            most.points = most.points.max(asked.points);
            most.pagerduty = most.pagerduty.max(asked.pagerduty);
        }
        Ok(most)
    }

    fn half_year(&self) -> Result<(), Failure> {
        let targets = ["≤ 400", "≤ 6 s", ""];
        let Synced { stage, mut side, .. } = self.syncs("180d", targets)?;
        let idle = self.idle(&stage, &mut side)?;
        row("idle cycle, S: requests", "", asked(idle));
        let (cycles, before) = (self.arguments.cycles, side.processor_time()?);
        for _ in 0..cycles {
            side.cycle()?;
        }
        let spent = side.processor_time()?.saturating_sub(before);
        row(
            "idle cycle, S, with both sources and a snapshot: processor time",
            "",
            format!("{} (mean of {cycles})", millis(spent / cycles.max(1))),
        );
        self.events(&stage, &mut side)?;
        side.end()?;
        let starts = (0..self.arguments.runs).map(|_| {
            let mut side = stage.side("steps")?;
            let took = side.hear()?;
            side.end()?;
            Ok(took.snapshot)
        });
        let starts = median(starts.collect::<Result<_, Failure>>()?);
        row("restart, S, to the first true snapshot", "≤ 100 ms", millis(starts));
        Ok(())
    }

    /// A deployment becomes visible: the poll that finds it, and the snapshot that shows it.
    fn events(&self, stage: &Stage, side: &mut Side) -> Result<(), Failure> {
        let (mut polls, mut snapshots, mut seen) = (Vec::new(), Vec::new(), 0);
        let mut known = side.cycle()?.deployments;
        let keys = repositories(stage);
        for key in keys.iter().cycle().take(self.arguments.runs) {
            let landings = stage.merge(&[*key]);
            stage.deploy(*key, *landings.first().ok_or("nothing was merged")?);
            let took = side.cycle()?;
            seen += usize::from(took.deployments == known + 1);
            known = took.deployments;
            polls.push(took.github);
            snapshots.push(took.snapshot);
        }
        let (poll, snapshot) = (median(polls), median(snapshots));
        row(
            "a merge and its deployment → in a snapshot, beyond the poll interval, S",
            "≤ 2 s",
            format!(
                "{} (poll {}, snapshot {}), {seen} of {} in the first cycle",
                millis(poll + snapshot),
                millis(poll),
                millis(snapshot),
                self.arguments.runs
            ),
        );
        Ok(())
    }

    /// The memory of the whole daemon, with its servers and caches.
    fn whole_daemon(&self) -> Result<(), Failure> {
        let Synced { took, side, .. } = self.sync("180d", Duration::ZERO)?;
        side.end()?;
        let stage = self.stage("180d", Duration::ZERO)?;
        for what in ["while and after it reads 180 days", "after a restart"] {
            let mut side = stage.side("daemon")?;
            while side.hear()?.facts != took.facts {}
            std::thread::sleep(STEADY);
            row(
                format!("memory of the whole daemon, S, {what}"),
                "≤ 40 MB",
                format!(
                    "{} now, {} at most; of it {} of its own, {} of files",
                    mebibytes(side.memory_kib("VmRSS")?),
                    mebibytes(side.memory_kib("VmHWM")?),
                    mebibytes(side.memory_kib("RssAnon")?),
                    mebibytes(side.memory_kib("RssFile")?),
                ),
            );
            self.webhooks(&stage)?;
            side.end()?;
        }
        Ok(())
    }

    /// A deployment becomes visible by a webhook, in a daemon that runs.
    fn webhooks(&self, stage: &Stage) -> Result<(), Failure> {
        let keys = repositories(stage);
        let visible = keys.iter().cycle().zip(0..).take(self.arguments.runs);
        let visible =
            visible.map(|(key, number)| self.runtime.block_on(hook::until_visible(stage, *key, number)));
        let visible = visible.collect::<Result<Vec<_>, Failure>>()?;
        let slowest = visible.iter().max().copied().unwrap_or_default();
        row(
            "a webhook is sent → the deployment is in `/metrics`, S",
            "≤ 2 s",
            format!("{}, {} at most", millis(median(visible)), millis(slowest)),
        );
        Ok(())
    }
}

fn cycle(stage: &Stage, side: &mut Side) -> Result<(Asked, Took), Failure> {
    let before = stage.asked();
    let took = side.cycle()?;
    Ok((stage.asked().since(before), took))
}

/// Repositories that deploy, one for each merge of a burst.
fn repositories(stage: &Stage) -> Vec<RepositoryKey> {
    let world = stage.world.lock();
    let deploys = |key: &RepositoryKey| {
        let repository = world.at(*key);
        repository.archived_at.is_none() && !repository.fork && !repository.deployments.is_empty()
    };
    world.keys().filter(deploys).take(BURST).collect()
}

fn asked(asked: Asked) -> String {
    format!("{} requests, {} points; {} to PagerDuty", asked.github, asked.points, asked.pagerduty)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

fn mebibytes(kib: u64) -> String {
    format!("{}.{} MB", kib / 1024, kib % 1024 * 10 / 1024)
}
