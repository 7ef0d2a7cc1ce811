//! Pushes the values of the example's signals, as an organisation without a Prometheus does: the last 90 days, a value
//! a day, and then one every few seconds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::demo::signals::{MEASURED, SIGNALS, Signal};
use crate::http::{Failure, Governors, Http, Options, Priority};
use crate::model::secret::Credential;
use crate::model::time::{Span, Timestamp};
use crate::telemetry::SourceTelemetry;

/// How often they have a new value.
const INTERVAL: Duration = Duration::from_secs(5);
/// From one value of the past to the next.
const STEP: Span = Span::from_days(1);

/// Whoever pushes.
pub(super) struct Pusher {
    http: Http,
    clock: SharedClock,
    began: Timestamp,
}

impl Pusher {
    /// Pushes to the daemon at `address`.
    pub(super) fn new(address: SocketAddr, token: SecretString, clock: SharedClock) -> anyhow::Result<Self> {
        let options = Options {
            source: "demo".to_owned(),
            base_url: format!("http://{address}"),
            scheme: "Bearer ",
            credential: Credential::fixed(token),
            identity: "demo".to_owned(),
            headers: Vec::new(),
            budget: 1.0,
            ca_pem: None,
        };
        let http = Http::new(options, &Governors::default(), Arc::clone(&clock), SourceTelemetry::default());
        let began = clock.now().into();
        Ok(Self { http: http.context("cannot push to the daemon")?, clock, began })
    }

    /// Pushes until it is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.push() => {}
        }
    }

    async fn push(&self) {
        let mut at = self.began.minus(MEASURED);
        while at < self.began {
            self.push_all(at).await;
            at = at.plus(STEP);
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.push_all(self.clock.now().into()).await;
        }
    }

    async fn push_all(&self, at: Timestamp) {
        for signal in &SIGNALS {
            if let Err(failure) = self.push_one(signal, at).await {
                tracing::warn!(%failure, "a value of the example was not pushed");
            }
        }
    }

    async fn push_one(&self, signal: &Signal, at: Timestamp) -> Result<(), Failure> {
        let mut body = json!({ "value": signal.value(at, self.began), "at": at.to_string() });
        if let (Some(team), Some(fields)) = (signal.team, body.as_object_mut()) {
            fields.insert("team".to_owned(), team.into());
        }
        let permit = self.http.admit("rest", 1, Priority::Live).await?;
        self.http.put(permit, &format!("/api/v1/signals/{}", signal.name), &body).await.map(|_| ())
    }
}
