//! How soon a deployment of which a webhook tells is in `/metrics`, while polling would find it a minute later.

use std::time::{Duration, Instant};

use reqwest::Client;
use sextant::demo::webhook::{Event, delivery};
use sextant::demo::world::repository::RepositoryKey;

use crate::Failure;
use crate::stage::{SECRET, Stage};

/// How often it is asked, so that asking is not what takes the time.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// After which it was not the webhook that made it visible.
const ASKED_MAX: u32 = 4_000;

/// Deploys, tells of it as GitHub would, and waits until it shows.
pub(crate) async fn until_visible(
    stage: &Stage,
    key: RepositoryKey,
    number: u64,
) -> Result<Duration, Failure> {
    let client = Client::builder().no_proxy().build()?;
    let before = attempts(&client, stage).await?;
    let landings = stage.merge(&[key]);
    let deployment = stage.deploy(key, *landings.first().ok_or("nothing was merged")?);
    let made = stage.world.tell(|world| delivery(world, Event::DeploymentStatus(deployment), SECRET, number));
    let made = made.ok_or("there is no such event")?;
    let begun = Instant::now();
    let mut request = client.post(format!("http://{}/webhooks/github", stage.listen)).body(made.body);
    for (name, value) in made.headers {
        request = request.header(name, value);
    }
    request.send().await?.error_for_status()?;
    for _ in 0..ASKED_MAX {
        if attempts(&client, stage).await? > before {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Err("the deployment does not show".into())
}

/// Finished and unfinished attempts that the daemon knows of.
async fn attempts(client: &Client, stage: &Stage) -> Result<u64, Failure> {
    let metrics = client.get(format!("http://{}/metrics", stage.listen)).send().await?.text().await?;
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix("sextant_facts{fact=\"attempt\"} "));
    Ok(line.ok_or("the daemon does not say how many attempts there are")?.parse()?)
}
