//! Trying a GitHub source, for `check --online`: is it reached, does it sign in, may it read what the configuration
//! needs, and which deployments does each rule find.
//!
//! Everything is asked for by the same client and budget as in a poll, a bounded number of times, and nothing is
//! stored. What must never happen here: a person's login or a secret in the report.

use std::time::Duration;

use serde::Deserialize;

use crate::clock::SharedClock;
use crate::http::{Answer, Failure, Governors, Http, Options, Priority, Reason};
use crate::model::secret::Credential;
use crate::source::report::{Report, number_of, some_of};
use crate::telemetry::Telemetry;

use super::client::Client;
use super::config::{Config, SignIn};
use super::sign_in::{Identity, Signed};

use self::costs::Costs;
use self::permissions::{Kind, Permissions};

mod costs;
mod look;
mod permissions;
mod repositories;
mod rules;

/// Trying a source ends after this, however far it is: 100 requests of a second each, and some are repeated.
const WHOLE_MAX: Duration = Duration::from_mins(3);
/// What REST requests are counted as.
const REST_RESOURCE: &str = "core";
/// Installations that are named.
const INSTALLATIONS_SHOWN: usize = 10;

/// Asks as one identity.
struct Asker {
    client: Client,
    rest: Http,
    /// The owner that it is for; `None`: any.
    account: Option<String>,
}

/// What a server says of itself; github.com says no version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    installed_version: Option<String>,
}

/// Tries a source.
pub async fn inspect(config: &Config, clock: SharedClock) -> Report {
    let mut report = Report::new(format!("{}: GitHub at {}", config.name, config.api_url));
    if tokio::time::timeout(WHOLE_MAX, fill(config, clock, &mut report)).await.is_err() {
        let seconds = WHOLE_MAX.as_secs();
        report.fault("reached", format!("not to the end: gave up after {seconds} seconds; try again later"));
    }
    report
}

async fn fill(config: &Config, clock: SharedClock, report: &mut Report) {
    let connected = match connect(config, clock).await {
        Ok(connected) => connected,
        Err(failure) => return report.refused(&failure, &renew(config)),
    };
    let Connected { askers, problems } = connected;
    let Some(first) = askers.first() else {
        for problem in problems {
            report.fault("signs in", problem.what);
        }
        return;
    };
    let answer = match get(&first.rest, "/meta", &[]).await {
        Ok(answer) => answer,
        Err(failure) => return report.refused(&failure, &renew(config)),
    };
    match first.rest.read::<Meta>(&answer, "/meta") {
        Ok(Meta { installed_version: Some(version) }) => {
            report.say("reached", format!("GitHub Enterprise Server {version}"));
        }
        Ok(Meta { installed_version: None }) => report.say("reached", "GitHub"),
        Err(failure) => return report.refused(&failure, &renew(config)),
    }
    let kind = tell_who(config, &answer, &askers, report);
    for problem in problems {
        report.fault("", problem.what);
    }
    let costs = costs::costs(&first.client).await;
    tell_limits(config, &costs, &answer, report);
    let mut permissions = Permissions::default();
    let found = repositories::list(config, &askers, &mut permissions, report).await;
    let looks = rules::look(config, &askers, &found.read, &mut permissions).await;
    if askers.iter().all(|asker| asker.account.is_none()) || !found.read.is_empty() {
        repositories::teams(config, &askers, &mut permissions, report).await;
    }
    permissions.tell(kind, report);
    costs.tell(report);
    if found.read.is_empty() && permissions.wants_single_sign_on() {
        return;
    }
    found.tell(report);
    rules::tell(config, &looks, report);
}

struct Connected {
    askers: Vec<Asker>,
    /// Identities that cannot be used.
    problems: Vec<Failure>,
}

/// Finds whom we can be.
async fn connect(config: &Config, clock: SharedClock) -> Result<Connected, Failure> {
    // Nobody reads these; they are counted since every request is.
    let telemetry = Telemetry::new().source(config.name.as_str(), "github");
    let governors = Governors::default();
    let client = Client::new(config, &governors, SharedClock::clone(&clock), telemetry.clone())?;
    let options = Options {
        source: config.name.to_string(),
        base_url: config.api_url.clone(),
        scheme: "Bearer ",
        credential: Credential::new(|| Err("nobody has signed in".to_owned())),
        identity: "nobody".to_owned(),
        headers: vec![("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
        budget: config.budget,
        ca_pem: config.ca_pem.clone(),
    };
    let rest = Http::new(options, &governors, clock, telemetry)?;
    let signer = client.signer(config);
    let Signed { identities, mut problems, suspended: _ } = signer.identities(client.now()).await?;
    let mut askers = Vec::new();
    for identity in identities {
        match signer.fresh(&identity, client.now()).await {
            Ok(renewal) => problems.extend(renewal),
            Err(failure) => {
                problems.push(failure);
                continue;
            }
        }
        let client = client.signed_in_as(&identity, &governors);
        let Identity { account, credential, label, .. } = identity;
        askers.push(Asker { client, rest: rest.signed_in_as(label, credential, &governors), account });
    }
    Ok(Connected { askers, problems })
}

/// Asks REST.
async fn get(rest: &Http, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
    let permit = rest.admit(REST_RESOURCE, 1, Priority::Live).await?;
    rest.get(permit, path, query).await
}

/// What to do about a sign-in that is refused.
fn renew(config: &Config) -> String {
    match &config.sign_in {
        SignIn::Token(token) => {
            format!("make a new token in GitHub and put it into {}", token.identity())
        }
        SignIn::App(app) => {
            format!("check app_id {} and the key from {}", app.id, app.private_key.identity())
        }
    }
}

fn tell_who(config: &Config, answer: &Answer, askers: &[Asker], report: &mut Report) -> Kind {
    let said = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    match &config.sign_in {
        SignIn::App(app) => {
            let accounts: Vec<&str> = askers.iter().filter_map(|asker| asker.account.as_deref()).collect();
            let text = format!(
                "as the App {}, {}: {}",
                app.id,
                number_of(askers.len(), "installation", "installations"),
                some_of(&accounts, INSTALLATIONS_SHOWN),
            );
            report.say("signs in", text);
            Kind::App
        }
        SignIn::Token(token) => {
            let scopes = said("x-oauth-scopes");
            let kind = match scopes {
                Some("") => "classic, without any scope".to_owned(),
                Some(scopes) => format!("classic, scopes {scopes}"),
                None => "fine-grained".to_owned(),
            };
            let until = said("github-authentication-token-expiration");
            let until = until.map_or_else(String::new, |until| format!("; expires {until}"));
            report.say("signs in", format!("a token from {} ({kind}{until})", token.identity()));
            if scopes.is_some() { Kind::Classic } else { Kind::FineGrained }
        }
    }
}

fn tell_limits(config: &Config, costs: &Costs, answer: &Answer, report: &mut Report) {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let mut limits = Vec::new();
    if let Some((limit, left, until)) = costs.limit.as_ref().and_then(super::reply::stated) {
        let until = until.datetime().format("%H:%M");
        limits.push(format!("graphql {left} of {limit} left until {until} UTC"));
    }
    if let (Some(limit), Some(left)) = (number("x-ratelimit-limit"), number("x-ratelimit-remaining")) {
        limits.push(format!("core {left} of {limit} left"));
    }
    if limits.is_empty() {
        report.say("rate limit", "none (switched off on this server)");
        return;
    }
    limits.push(format!("sextant uses at most {} %", (config.budget * 100.0).round()));
    report.say("rate limit", limits.join(", "));
}

/// Who asks for what belongs to this owner; `None`: nobody can.
fn asker_of<'a>(askers: &'a [Asker], owner: &str) -> Option<&'a Asker> {
    let is_for =
        |asker: &&Asker| asker.account.as_ref().is_none_or(|account| account.eq_ignore_ascii_case(owner));
    askers.iter().find(is_for)
}

/// Whether a part was refused, and not broken.
fn is_refusal(failure: &Failure) -> bool {
    failure.reason == Reason::Forbidden
}
