//! What installs sextant somewhere: `compose.yaml` and the manifests of docs/kubernetes.md. Both are held against the
//! binary, its server, and the tools of those that they configure.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use sextant::config::Config;
use tempfile::TempDir;

use crate::dashboards::{list, shipped, text};
use crate::process::{Process, free_port, get, until};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn compose() -> Value {
    documents(&read("compose.yaml")).remove(0)
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

/// Where a service mounts which file or folder of the repository.
fn mounts(service: &Value) -> impl Iterator<Item = (&str, &str)> {
    let found = list(&service["volumes"]).filter_map(|mount| text(mount).split_once(':'));
    found.filter(|(source, _)| source.starts_with("./"))
}

/// What a tool says; the test fails, and says how to mend it, if it is not installed or finds something wrong.
fn tool(name: &str, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run {name}: {error}; scripts/test installs what the tests need")
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}\n{out}\n{err}");
}

/// Fails unless the binary has the command, and the command each of its flags.
fn understood(arguments: &[&str]) {
    let (command, rest) = arguments.split_first().unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_sextant")).args([*command, "--help"]).output().unwrap();
    assert!(help.status.success(), "no command {command}");
    let help = String::from_utf8(help.stdout).unwrap();
    for flag in rest.iter().filter(|argument| argument.starts_with("--")) {
        assert!(help.contains(&format!("{flag} <")), "{command} has no {flag}: {help}");
    }
}

/// The blocks of a page in a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let after = page.split(&begin).skip(1);
    after.map(|block| block.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// The objects of docs/kubernetes.md, by their kind.
fn objects() -> BTreeMap<String, Value> {
    let page = read("docs/kubernetes.md");
    let all: Vec<_> = blocks(&page, "yaml").iter().flat_map(|block| documents(block)).collect();
    for object in &all {
        for key in ["/apiVersion", "/metadata/name", "/metadata/namespace"] {
            assert!(object.pointer(key).is_some_and(Value::is_string), "{object} has no {key}");
        }
    }
    let count = all.len();
    let by_kind: BTreeMap<_, _> =
        all.into_iter().map(|object| (text(&object["kind"]).to_owned(), object)).collect();
    assert_eq!(by_kind.len(), count, "a kind twice: {:?}", by_kind.keys());
    by_kind
}

#[test]
fn what_compose_starts_is_pinned_checked_and_without_privileges() {
    let compose = compose();
    let names: Vec<_> = services(&compose).map(|(name, _)| name.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(names), ["alertmanager", "grafana", "prometheus", "sextant"].into());
    let pinned = Regex::new(r"^[a-z/]+:v?\d+\.\d+\.\d+$").unwrap();
    for (name, service) in services(&compose) {
        assert!(pinned.is_match(text(&service["image"])), "{name}: {}", service["image"]);
        assert_eq!(service["read_only"], true, "{name} writes where it likes");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert!(service["privileged"].is_null() && service["cap_add"].is_null(), "{name}");
        assert_eq!(service["healthcheck"]["test"][0], "CMD", "{name} is not looked after");
        for port in list(&service["ports"]) {
            assert!(text(port).starts_with("127.0.0.1:"), "{name} is open to others: {port}");
        }
        for (source, target) in mounts(service) {
            assert!(root().join(source).exists(), "{name}: there is no {source}");
            assert!(target.ends_with(":ro"), "{name} may change {source}");
        }
        for (other, _) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(!compose["services"][other].is_null(), "{name} waits for {other}");
        }
    }
    let arguments = |value: &Value| list(value).map(text).map(str::to_owned).collect::<Vec<_>>();
    let ours = &compose["services"]["sextant"];
    let health = arguments(&ours["healthcheck"]["test"]);
    for words in [&arguments(&ours["command"])[..], &health[2..]] {
        understood(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn compose_gives_grafana_every_board_where_its_provisioning_looks() {
    let compose = compose();
    let grafana = &compose["services"]["grafana"];
    let provider = &documents(&read("config/grafana/provisioning/dashboards/sextant.yml"))[0]["providers"][0];
    let folder = text(&provider["options"]["path"]).to_owned();
    let mounted: BTreeMap<_, _> =
        mounts(grafana).map(|(source, target)| (target.trim_end_matches(":ro"), source)).collect();
    for board in shipped().into_keys() {
        let source = mounted.get(format!("{folder}/{board}").as_str());
        assert_eq!(source, Some(&format!("./dashboards/{board}").as_str()));
    }
    let home = text(&grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]);
    assert!(mounted.contains_key(home), "{home}");
    let source = &documents(&read("config/grafana/provisioning/datasources/prometheus.yml"))[0];
    assert_eq!(source["datasources"][0]["url"], "$PROMETHEUS_URL");
    assert_eq!(grafana["environment"]["PROMETHEUS_URL"], "http://prometheus:9090");
}

/// The files of a service where it looks for them, under a folder of this machine.
fn laid_out(service: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (source, target) in mounts(service) {
        let target = folder.path().join(target.trim_start_matches('/').trim_end_matches(":ro"));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(root().join(source), target).unwrap();
    }
    folder
}

/// The file of the argument `--config.file`.
fn configured(service: &Value, folder: &Path) -> String {
    let mut arguments = list(&service["command"]).map(text);
    let file = arguments.find_map(|argument| argument.strip_prefix("--config.file=/")).unwrap();
    folder.join(file).to_str().unwrap().to_owned()
}

#[test]
fn prometheus_and_alertmanager_take_what_compose_gives_them() {
    let compose = compose();
    let [prometheus, alertmanager] = ["prometheus", "alertmanager"].map(|name| &compose["services"][name]);
    let (one, other) = (laid_out(prometheus), laid_out(alertmanager));
    tool("promtool", &["check", "config", "--lint=all", "--lint-fatal", &configured(prometheus, one.path())]);
    tool("amtool", &["check-config", &configured(alertmanager, other.path())]);

    // Whom they talk to is there, on a port that it has.
    let config = std::fs::read_to_string(configured(prometheus, one.path())).unwrap();
    let named = Regex::new(r"(?:http://|\[)?([a-z]+):(\d{4})\b").unwrap();
    let mut seen = BTreeSet::new();
    for found in named.captures_iter(&config) {
        let (name, port) = (&found[1], &found[2]);
        let ports = &compose["services"][name]["ports"][0];
        assert!(text(ports).ends_with(&format!(":{port}")), "{name} has no port {port}");
        seen.insert(name.to_owned());
    }
    assert_eq!(seen, BTreeSet::from(["alertmanager", "sextant"].map(str::to_owned)));
    assert!(config.contains("url: http://sextant:9469/api/v1/read\n"));
}

#[test]
fn the_objects_for_kubernetes_fit_together() {
    let objects = objects();
    let pod = &objects["Deployment"]["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(&objects["Deployment"]["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&objects["Service"]["spec"]["selector"], labels);
    assert_eq!(
        objects["ServiceMonitor"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["metadata"]["labels"]
    );
    assert_eq!(objects["Deployment"]["spec"]["replicas"], 1, "a store belongs to one process");
    assert_eq!(objects["Deployment"]["spec"]["strategy"]["type"], "Recreate");

    // Ports by their name, and the number where it is defined.
    let port = &container["ports"][0];
    let service = &objects["Service"]["spec"]["ports"][0];
    assert_eq!(port["containerPort"], service["port"]);
    for name in [
        &service["targetPort"],
        &container["readinessProbe"]["httpGet"]["port"],
        &container["livenessProbe"]["httpGet"]["port"],
        &container["startupProbe"]["httpGet"]["port"],
    ] {
        assert_eq!(name, &port["name"]);
    }
    assert_eq!(objects["ServiceMonitor"]["spec"]["endpoints"][0]["port"], service["name"]);
    let url = format!("http://sextant.sextant.svc:{}/api/v1/read", service["port"]);
    assert_eq!(objects["Prometheus"]["spec"]["remoteRead"][0]["url"], url);

    // What is mounted is a volume, and the volume is of an object that is here, or made by a command that is.
    let volumes: BTreeMap<_, _> =
        list(&pod["spec"]["volumes"]).map(|volume| (text(&volume["name"]), volume)).collect();
    let mounted: BTreeSet<_> = list(&container["volumeMounts"]).map(|mount| text(&mount["name"])).collect();
    assert_eq!(mounted, volumes.keys().copied().collect());
    let claim = &volumes["store"]["persistentVolumeClaim"]["claimName"];
    assert_eq!(claim, &objects["PersistentVolumeClaim"]["metadata"]["name"]);
    assert_eq!(volumes["config"]["configMap"]["name"], objects["ConfigMap"]["metadata"]["name"]);
    let secret = format!("create secret generic {} ", text(&volumes["tokens"]["secret"]["secretName"]));
    assert!(read("docs/kubernetes.md").contains(&secret));
    let identity = &pod["spec"]["securityContext"];
    assert!(read("Dockerfile").contains(&format!("USER {0}:{0}\n", identity["runAsUser"])));
    assert_eq!((&identity["runAsNonRoot"], &identity["fsGroup"]), (&true.into(), &identity["runAsUser"]));
}

#[test]
fn the_configuration_for_kubernetes_is_one_that_is_taken() {
    let objects = objects();
    let container = &objects["Deployment"]["spec"]["template"]["spec"]["containers"][0];
    let mounted = |name: &str| {
        let found = list(&container["volumeMounts"]).find(|mount| mount["name"] == name);
        text(&found.unwrap()["mountPath"]).to_owned()
    };
    let arguments: Vec<_> = list(&container["args"]).map(text).collect();
    understood(&arguments);
    let (file, toml) = objects["ConfigMap"]["data"].as_object().unwrap().iter().next().unwrap();
    assert!(arguments.contains(&format!("{}/{file}", mounted("config")).as_str()), "{arguments:?}");

    let toml = text(toml);
    assert!(toml.contains(&format!("url = \"sqlite:{}/", mounted("store"))), "{toml}");
    let port = &container["ports"][0]["containerPort"];
    assert!(toml.contains(&format!("listen = \"0.0.0.0:{port}\"")), "{toml}");
    let page = read("docs/kubernetes.md");
    let tokens = tempfile::tempdir().unwrap();
    let of_secret = Regex::new(r"--from-file=([a-z]+-token)\b").unwrap();
    for found in of_secret.captures_iter(&page) {
        std::fs::write(tokens.path().join(&found[1]), "not-a-token").unwrap();
    }
    let toml = toml.replace(&mounted("tokens"), tokens.path().to_str().unwrap());
    Config::parse(&toml, file, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
}

#[tokio::test]
async fn every_path_that_is_asked_from_outside_answers() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let _sextant = Process::sextant(&["demo", "--listen", &address], folder.path(), "sextant");
    let (objects, compose) = (objects(), compose());
    let container = &objects["Deployment"]["spec"]["template"]["spec"]["containers"][0];
    let mut paths: Vec<_> = ["readinessProbe", "livenessProbe", "startupProbe"]
        .map(|probe| text(&container[probe]["httpGet"]["path"]).to_owned())
        .into();
    paths.push(text(&objects["ServiceMonitor"]["spec"]["endpoints"][0]["path"]).to_owned());
    for path in &paths {
        let url = format!("http://{address}{path}");
        until(&url, async || get(&url).await.is_some_and(|(status, _)| status == 200)).await;
    }
    // Where Prometheus reads: with POST, so that GET is another method and not an unknown path.
    let (status, _) = get(&format!("http://{address}/api/v1/read")).await.unwrap();
    assert_eq!(status, 405);
    let health = list(&compose["services"]["sextant"]["healthcheck"]["test"]).map(text).nth(2).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sextant"))
        .args([health, "--url", &format!("http://{address}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_rules_under_a_spec_are_still_the_rules() {
    let page = read("docs/kubernetes.md");
    let script = blocks(&page, "sh").into_iter().find(|block| block.starts_with("sextant rules")).unwrap();
    understood(&script.lines().next().unwrap().split(' ').skip(1).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("config/prometheus"), folder.path().join("rules")).unwrap();
    // What it would tell the cluster, without the first line, whose files are the shipped ones.
    let (_, script) = script.split_once('\n').unwrap();
    let script = script.replace("kubectl apply -f -", "cat");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let made = documents(&String::from_utf8(output.stdout).unwrap());
    let made: Vec<_> = made.iter().filter(|object| !object.is_null()).collect();
    assert_eq!(made.len(), 2, "{made:?}");
    for (object, name) in made.into_iter().zip(["recording", "alerts"]) {
        assert_eq!(object["metadata"]["name"], format!("sextant-{name}"));
        let rules = &documents(&read(&format!("config/prometheus/{name}.yml")))[0];
        assert!(list(&rules["groups"]).count() > 0, "{rules}");
        assert_eq!(&object["spec"], rules);
    }
}

#[test]
fn all_boards_fit_into_one_config_map() {
    let total: usize = shipped().into_keys().map(|file| read(&format!("dashboards/{file}")).len()).sum();
    // What etcd takes of one object by default, with room for the rest of it.
    assert!(total < 1_000_000, "{total} bytes");
}
