//! Ways to GitHub that are not plain: TLS by an authority of one's own, and proxies.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sextant::demo::serve::Options;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::CryptoProvider};

use crate::demo_stage::{Stage, acme, ago, now};

/// A name that nobody but the proxy knows.
const HOST: &str = "ghe.acme.example";
/// No head of a request that we send is as long.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The simulated GitHub, and what stands before it.
struct Ways {
    github: Stage,
    directory: TempDir,
    tls: String,
    proxy: String,
    /// The heads of what came to the proxy first on each connection.
    seen: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Ways {
    async fn open() -> Self {
        let github = Stage::of(world()).await;
        let directory = tempfile::tempdir().unwrap();
        let upstream = github.servers.github.url.trim_start_matches("http://").to_owned();
        let (acceptor, ca_pem) = certified();
        std::fs::write(directory.path().join("ca.pem"), ca_pem).unwrap();
        let mut serving = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap().to_string();
        serving.spawn(terminate(listener, acceptor, upstream.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        serving.spawn(forward(listener, tls.clone(), upstream, Arc::clone(&seen)));
        Self { github, directory, tls, proxy, seen, _serving: serving }
    }

    /// `check --online` with this address and these variables; its exit code and all that it printed.
    async fn check(&self, api_url: &str, rest: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let toml = format!(
            "[organization]\nname = \"acme\"\n[[github]]\nname = \"acme-github\"\napi_url = \"{api_url}\"\n\
             token_env = \"T\"\norganizations = [\"acme\"]\n{}\n",
            rest.replace("{directory}", self.directory.path().to_str().unwrap())
        );
        let file = self.directory.path().join("sextant.toml");
        std::fs::write(&file, toml).unwrap();
        let mut command = checking(&file);
        command.envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn checking(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.arg("check").arg("--config").arg(file).arg("--online");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env("T", Options::default().github_token);
    command
}

fn world() -> sextant::demo::world::World {
    let mut world = acme();
    let key = world.repository("acme/shop", ago(100));
    let commit = world.push(key, "grace", "Begin", ago(90), ago(90));
    world.deploy(key, commit, "production", ago(70));
    world.advance(now());
    world
}

/// A server's certificate for `HOST` and for this machine, and that of the authority that signed it.
fn certified() -> (TlsAcceptor, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider: Arc<CryptoProvider> = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca_pem)
}

/// Speaks TLS with whoever comes, and plainly with the server behind.
async fn terminate(listener: TcpListener, acceptor: TlsAcceptor, upstream: String) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
        connections.spawn(async move {
            // Whoever does not trust us leaves.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut server = TcpStream::connect(upstream).await.unwrap();
            drop(copy_bidirectional(&mut stream, &mut server).await);
        });
    }
}

/// A proxy: `CONNECT` leads to the TLS server whatever the name, everything else to the plain one.
async fn forward(listener: TcpListener, tls: String, plain: String, seen: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (tls, plain, seen) = (tls.clone(), plain.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let is_tunnel = text.starts_with("CONNECT ");
            seen.lock().unwrap().push(text);
            let mut server = TcpStream::connect(if is_tunnel { tls } else { plain }).await.unwrap();
            if is_tunnel {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            } else {
                server.write_all(&head).await.unwrap();
            }
            drop(copy_bidirectional(&mut stream, &mut server).await);
        });
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_if_it_is_named_and_else_it_is_said_how() {
    let ways = Ways::open().await;
    let api_url = format!("https://localhost:{}", ways.tls.rsplit_once(':').unwrap().1);
    let (code, text) = ways.check(&api_url, "ca_file = \"{directory}/ca.pem\"", &[]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 of 1 are read"), "{text}");
    let requests = ways.github.servers.github.tally.requests();
    let (code, text) = ways.check(&api_url, "", &[]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("name the authority that signed it in ca_file"), "{text}");
    assert_eq!(ways.github.servers.github.tally.requests(), requests, "the token was not sent");
}

#[tokio::test]
async fn requests_go_through_the_proxies_of_the_environment() {
    let ways = Ways::open().await;
    let token = Options::default().github_token;
    let (code, text) = ways
        .check(
            &format!("https://{HOST}"),
            "ca_file = \"{directory}/ca.pem\"",
            &[("HTTPS_PROXY", &ways.proxy), ("HTTP_PROXY", "http://127.0.0.1:1")],
        )
        .await;
    assert_eq!(code, Some(0), "{text}");
    let seen = ways.seen();
    assert!(!seen.is_empty());
    for head in seen {
        assert!(head.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{head}");
        assert!(!head.contains(&token), "what is said within the tunnel is nobody's business");
    }

    let variables = [("HTTP_PROXY", ways.proxy.as_str()), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    let plain = &ways.github.servers.github.url;
    let (code, text) = ways.check(plain, "", &variables).await;
    assert_eq!(code, Some(0), "{text}");
    let seen = ways.seen();
    assert!(!seen.is_empty() && seen.iter().all(|head| head.contains(&format!(" {plain}/"))), "{seen:?}");

    let [http, https] = variables;
    let (code, text) = ways.check(plain, "", &[http, https, ("NO_PROXY", "127.0.0.1")]).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(ways.seen(), Vec::<String>::new());
}
