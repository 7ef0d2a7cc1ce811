//! For those who ask over our connections by other means: who signs in does, through octocrab. Their requests are
//! counted like ours, and their answers mean the same.

use std::error::Error;

use reqwest::header::HeaderMap;
use secrecy::SecretString;

use super::exchange::{advice, causes};
use super::{Failure, Http, Reason, verdict};

impl Http {
    /// What requests go out through, with its time limits, proxies and certificates. It follows no redirect.
    pub fn connections(&self) -> reqwest::Client {
        self.shared.client.clone()
    }

    /// A request is sent over [`Http::connections`].
    pub fn asked(&self) {
        self.shared.telemetry.request();
    }

    /// What a status other than 2xx means, counted; a limit pauses this identity. `secret` is what was sent along.
    pub fn refusal(
        &self,
        what: &str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        secret: &SecretString,
    ) -> Failure {
        let text = String::from_utf8_lossy(body);
        let verdict = verdict::read(status, headers, &text, self.now());
        let said = verdict::snippet(&text, Some(secret));
        let what = format!("{what}: answered {status}: {said}");
        let failure = Failure {
            retry_at: verdict.retry_at,
            ..self.failure(verdict.reason, what.trim_end_matches(": "))
        };
        self.shared.telemetry.failure(failure.reason.as_str());
        if verdict.everything { self.limited(failure) } else { failure }
    }

    /// What it means that there was no answer, counted.
    pub fn unanswered(&self, what: &str, error: &(dyn Error + 'static), secret: &SecretString) -> Failure {
        let mut cause = Some(error);
        let mut ours = None;
        while let Some(error) = cause.filter(|_| ours.is_none()) {
            ours = error.downcast_ref::<reqwest::Error>();
            cause = error.source();
        }
        let (reason, said) = match ours {
            Some(error) if error.is_timeout() => (Reason::Timeout, causes(error)),
            Some(error) => (Reason::Network, causes(error)),
            None => (Reason::Network, "the request could not be sent".to_owned()),
        };
        self.shared.telemetry.failure(reason.as_str());
        let said = verdict::snippet(&said, Some(secret));
        self.failure(reason, &format!("{what}: {said}{}", advice(&said)))
    }

    /// What went wrong before anything was sent, counted.
    pub fn unsent(&self, reason: Reason, what: &str) -> Failure {
        self.shared.telemetry.failure(reason.as_str());
        self.failure(reason, what)
    }
}
