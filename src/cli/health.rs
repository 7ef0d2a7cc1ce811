//! `sextant health`: asks a running daemon whether it is ready.

use std::time::Duration;

use anyhow::Context as _;

use super::{Failure, runtime, say};

/// A daemon that does not answer within this is not healthy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Fails unless `GET /-/ready` answers 200.
pub(super) fn run(url: &str) -> Result<(), Failure> {
    let url = format!("{}/-/ready", url.trim_end_matches('/'));
    let status = runtime()?.block_on(async {
        let client = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
        let answer = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
        anyhow::Ok(answer.status())
    })?;
    if !status.is_success() {
        return Err(Failure::Failed(anyhow::anyhow!("{url} answers {status}: not ready")));
    }
    say("ready");
    Ok(())
}
