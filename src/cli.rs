//! The command line: clap types, exit codes, and one file per command.
//!
//! Exit codes (`interfaces.md` §1): 0 ok, 1 failed, 64 wrong usage or configuration.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::telemetry::{LogFormat, init_logs};

mod backtest;
mod check;
mod demo;
mod export;
mod health;
mod replay;
mod rules;
mod run;

/// Something failed that a change of the command line or the configuration would not mend.
const EXIT_FAILED: u8 = 1;
/// Wrong usage or configuration (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// Engineering metrics as a feedback loop: the five DORA metrics per team, for Prometheus.
#[derive(Debug, Parser)]
#[command(name = "sextant", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How log lines look; by default for people on a terminal, else JSON.
    #[arg(long, global = true, value_enum)]
    log_format: Option<Format>,

    /// What is logged: error, warn, info, debug, trace, or a filter as `RUST_LOG` has it, which it overrides.
    #[arg(long, global = true)]
    log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: polls, stores, computes, serves.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// An example organisation behind simulated APIs, polled by the real daemon; no token, no network.
    Demo {
        /// Where to serve.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9469")]
        listen: SocketAddr,
    },
    /// Validates a configuration: every error with its line, all at once.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Also tries each source: whether it is reached, signs in, may read what it has to, and finds deployments.
        #[arg(long)]
        online: bool,
    },
    /// The statistics over given facts, without sources: state, score, value and interval of every team, measure and
    /// day. The format is in docs/statistics.md.
    Replay {
        /// A folder with a folder for each team.
        #[arg(long, value_name = "DIR")]
        facts: PathBuf,
        /// The CSV file to write.
        #[arg(long, value_name = "STATES.csv")]
        out: PathBuf,
    },
    /// How often the detector alarms falsely: each team's own history with its blocks of two weeks in other orders; and
    /// which thresholds to raise where that is too often. Reads only.
    Backtest(backtest::Arguments),
    /// History, recomputed by event time from the store: for `promtool tsdb create-blocks-from openmetrics`, other
    /// databases and notebooks. The daemon may be running.
    Export(export::Export),
    /// Alerting and recording rules for Prometheus, and Alertmanager's routing by team, from the same configuration.
    Rules {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The folder to write recording.yml, alerts.yml and alertmanager.example.yml into.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Where people reach Grafana: alerts then lead to its boards, else to sextant's own pages.
        #[arg(long, value_name = "URL")]
        grafana: Option<String>,
    },
    /// Asks a running daemon whether it is ready; exit 0 or 1, for container health checks.
    Health {
        /// Where it serves.
        #[arg(long, default_value = "http://127.0.0.1:9469")]
        url: String,
    },
}

/// Why a command did not succeed.
#[derive(Debug)]
enum Failure {
    /// The configuration is wrong: what to print.
    Usage(String),
    /// Everything else.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs the command that the arguments (the program's name first) ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and version are answers, not errors, and clap prints each where it belongs.
        Err(answer) => {
            let printed = answer.print();
            return if answer.use_stderr() || printed.is_err() {
                EXIT_USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let format = match cli.log_format {
        None => LogFormat::Auto,
        Some(Format::Human) => LogFormat::Human,
        Some(Format::Json) => LogFormat::Json,
    };
    if let Err(error) = init_logs(format, cli.log_level.as_deref()) {
        complain(&format!("error: {error}"));
        return EXIT_USAGE.into();
    }
    let outcome = match cli.command {
        Command::Run { config } => run::run(&config),
        Command::Demo { listen } => demo::run(listen),
        Command::Check { config, online } => check::run(&config, online),
        Command::Replay { facts, out } => replay::run(&facts, &out),
        Command::Backtest(arguments) => backtest::run(&arguments),
        Command::Export(wanted) => export::run(&wanted),
        Command::Rules { config, out, grafana } => rules::run(&config, &out, grafana),
        Command::Health { url } => health::run(&url),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => {
            complain(&text);
            EXIT_USAGE.into()
        }
        Err(Failure::Failed(error)) => {
            complain(&format!("error: {error:#}"));
            EXIT_FAILED.into()
        }
    }
}

/// Prints an answer. A closed pipe is the reader's choice, not a failure.
fn say(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Prints what went wrong.
fn complain(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// The runtime of a command that serves. Scrapes have their own, and one worker suffices for the rest: a second one
/// made nothing faster, and cost ten megabytes that the allocator keeps for each thread.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
