//! `[server]` with `[server.push]`.

use std::net::SocketAddr;

use super::reader::{Table, Value, quoted};
use super::secret::{GITHUB_WEBHOOK_SECRET, PUSH_TOKEN, optional, required};
use super::value::base;
use super::{Push, Server, Variables};

/// Default of `server.listen`: this machine only.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9469);

/// `[server]`, and whether there is a `[server.push]`, right or wrong.
pub(super) struct Read {
    pub(super) server: Option<Server>,
    pub(super) has_push: bool,
}

/// Reads `[server]`.
pub(super) fn server(document: &mut Table<'_>, variables: &Variables<'_>) -> Read {
    let Some(mut table) = document.table("server") else {
        let server = serving(DEFAULT_LISTEN, None, None);
        return Read { server: Some(server), has_push: false };
    };
    let listen = table.optional("listen").map_or(Some(DEFAULT_LISTEN), |value| listen_address(&value));
    let external_url = table.optional("external_url").and_then(|value| value.url()).map(|url| base(&url));
    let has_push = table.has("push");
    let push = table.table("push").and_then(|table| push(table, variables));
    table.later(&["web_config_file"]);
    table.finish();
    Read { server: listen.map(|listen| serving(listen, external_url, push)), has_push }
}

fn serving(listen: SocketAddr, external_url: Option<String>, push: Option<Push>) -> Server {
    Server { listen, external_url: external_url.unwrap_or_else(|| format!("http://{listen}")), push }
}

fn listen_address(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.text("an address such as \"127.0.0.1:9469\"")?;
    let address = text.parse().ok();
    if address.is_none() {
        value.refuse_with(
            format!("{} is no address to listen on", quoted(text)),
            "an IP address and a port: \"127.0.0.1:9469\", \"[::1]:9469\", or \"0.0.0.0:9469\" for all of IPv4",
        );
    }
    address
}

fn push(mut table: Table<'_>, variables: &Variables<'_>) -> Option<Push> {
    let token = required(&mut table, &PUSH_TOKEN, variables);
    let github_webhook_secret = optional(&mut table, &GITHUB_WEBHOOK_SECRET, variables);
    table.later(&["pagerduty_webhook_secret_env", "pagerduty_webhook_secret_file"]);
    table.finish();
    Some(Push { token: token?, github_webhook_secret })
}
