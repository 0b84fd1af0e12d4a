"""deploy/helm renders documents that Kubernetes accepts, and starts the services that the local system starts."""

import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlay.local.system import SERVICES
from outlay_alerter.slack_actions.buttons import PATH as SLACK_PATH

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    import kubernetes_validate

DEPLOY = Path(__file__).parents[2] / "deploy"
HELM = Path(sys.executable).with_name("helm")
SUPPORTED = ("1.34", "1.37")
"""The oldest version of Kubernetes that is still maintained, and the newest that the schemas know."""
CUSTOM = {"ScaledObject", "PodMonitor", "ExternalSecret"}
"""Kinds of operators: their schemas are not among those of Kubernetes."""
pytestmark = pytest.mark.skipif(not HELM.exists(), reason="the wheel of helm is for x86-64")

EVERYTHING = {
    "kafka": {
        "passwordSecret": "kafka",
        "caSecret": "kafka-ca",
        "settings": {"SECURITY_PROTOCOL": "SASL_SSL"},
    },
    "services": {
        "pricer": {"autoscaling": {"kind": "keda", "authentication": "kafka-lag"}},
        "alerter": {
            "channelSecret": "channels",
            "slackSecret": "slack",
            "env": {"OUTLAY_ALERTER_ALLOW_NETWORKS": "10.0.0.0/8"},
        },
    },
    "ingress": {"enabled": True, "className": "nginx"},
    "podMonitor": {"enabled": True},
    "externalSecrets": {"enabled": True, "store": {"kind": "SecretStore", "name": "vault"}},
    "envFrom": [{"secretRef": {"name": "more"}}],
    "nodeSelector": {"pool": "finops"},
    "tolerations": [{"key": "finops", "operator": "Exists"}],
}


def helm(tmp_path: Path, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    chart = str(DEPLOY / "helm/outlay")
    command = [str(HELM), "template", "outlay", chart, "--namespace", "outlay", "--values", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rendered(tmp_path: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    result = helm(tmp_path, values)
    assert result.returncode == 0, result.stderr
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    return {f"{document['kind']} {document['metadata']['name']}": document for document in documents}


def pods(documents: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents.values():
        if document["kind"] in ("Deployment", "Job"):
            yield document["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_each_document_follows_its_schema(values: dict[str, Any], version: str, tmp_path: Path) -> None:
    documents = rendered(tmp_path, values)
    for document in documents.values():
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, version, strict=True)
    kinds = {document["kind"] for document in documents.values()}
    assert kinds & CUSTOM == (CUSTOM if values else set())


def test_the_schemas_refuse_a_wrong_document(tmp_path: Path) -> None:
    document = rendered(tmp_path, {})["Deployment pricer"]
    document["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, SUPPORTED[-1], strict=True)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kafka": {"bootstrap": "kafka"}}, "bootstrap"),
        ({"services": {"prices": {"module": "x", "replicas": 1, "resources": {}}}}, "prices"),
        ({"services": {"pricer": {"replica": 3}}}, "replica"),
        ({"secret": {}}, "secret"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], named: str, tmp_path: Path) -> None:
    result = helm(tmp_path, values)
    assert result.returncode != 0
    assert named in result.stderr


def test_kustomize_uses_the_chart_with_default_values(tmp_path: Path) -> None:
    subprocess.run([DEPLOY / "helm/render", tmp_path / "outlay.yaml"], check=True)
    assert (DEPLOY / "kubernetes/outlay.yaml").read_text() == (tmp_path / "outlay.yaml").read_text(), (
        "run deploy/helm/render"
    )
    assert not re.search(r"helm\.sh/|Helm$", (tmp_path / "outlay.yaml").read_text(), re.MULTILINE)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kustomize_renders_in_a_namespace_of_its_own(tmp_path: Path) -> None:
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    documents = list(yaml.safe_load_all(text))
    assert {document["metadata"]["namespace"] for document in documents} == {"outlay"}
    images = {
        container["image"]
        for spec in pods({str(n): d for n, d in enumerate(documents)})
        for container in spec["containers"]
    }
    chart = yaml.safe_load((DEPLOY / "helm/outlay/Chart.yaml").read_text())
    assert images == {f"outlay:{chart['appVersion']}"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_starts_as_the_local_one_does(name: str, tmp_path: Path) -> None:
    spec = rendered(tmp_path, {})[f"Deployment {name}"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", SERVICES[name]]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    probes = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")}
    assert probes == {"liveness": "/livez", "readiness": "/readyz"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_the_address_that_status_asks(name: str, tmp_path: Path) -> None:
    ports = rendered(tmp_path, {})[f"Service {name}"]["spec"]["ports"]
    assert {"name": "health", "port": 9400, "targetPort": "health"} in ports


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_each_pod_has_few_rights_and_a_memory_limit(values: dict[str, Any], tmp_path: Path) -> None:
    for spec in pods(rendered(tmp_path, values)):
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec["automountServiceAccountToken"]
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_each_service_gets_only_the_passwords_it_uses(tmp_path: Path) -> None:
    documents = rendered(tmp_path, {})
    passwords = {}
    for name in SERVICES:
        (container,) = documents[f"Deployment {name}"]["spec"]["template"]["spec"]["containers"]
        found = [variable for variable in container["env"] if "PASSWORD" in variable["name"]]
        passwords[name] = {variable["valueFrom"]["secretKeyRef"]["key"] for variable in found}
    writer = {"clickhouse-password"}
    assert passwords == {
        "ingest": set(), "pricer": set(), "repricer": writer, "aggregator": writer, "alerter": writer,
        "console": {"reader-password", "console-writer-password"},
    }  # fmt: skip
    assert not any(document["kind"] == "Secret" for document in documents.values())


def test_only_the_alerter_gets_the_signing_secret_of_slack(tmp_path: Path) -> None:
    variable = "OUTLAY_ALERTER_SLACK_SIGNING_SECRET"
    for values, given in (
        ({}, {}),
        (EVERYTHING, {"alerter": {"name": "slack", "key": "slack-signing-secret"}}),
    ):
        documents, found = rendered(tmp_path, values), dict[str, Any]()
        for name in SERVICES:
            (container,) = documents[f"Deployment {name}"]["spec"]["template"]["spec"]["containers"]
            for one in container["env"]:
                if one["name"] == variable:
                    found[name] = one["valueFrom"]["secretKeyRef"]
        assert found == given


def test_from_outside_only_slack_reaches_the_alerter(tmp_path: Path) -> None:
    hosts = {name: f"{name}.example.com" for name in ("ingest", "console", "alerter")}
    documents = rendered(tmp_path, {"ingress": {"enabled": True, "hosts": hosts}})
    for name, host in hosts.items():
        (rule,) = documents[f"Ingress {name}"]["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert rule["host"] == host
        assert path["backend"]["service"] == {"name": name, "port": {"name": "http"}}
        open_to_all = ("Exact", SLACK_PATH) if name == "alerter" else ("Prefix", "/")
        assert (path["pathType"], path["path"]) == open_to_all


def test_a_new_key_changes_no_pod(tmp_path: Path) -> None:
    for spec in pods(rendered(tmp_path, {})):
        for volume in spec["volumes"]:
            assert volume["name"] != "keys" or volume["secret"] == {"secretName": "outlay-keys"}


def test_the_values_of_the_documentation_render_and_the_alerter_reads_its_own(tmp_path: Path) -> None:
    page = (DEPLOY.parent / "docs/deployment.md").read_text("utf-8")
    [block] = re.findall(r"```yaml\n# values\.yaml\n(.*?)```", page, re.DOTALL)
    alerter = rendered(tmp_path, yaml.safe_load(block))["Deployment alerter"]
    [container] = alerter["spec"]["template"]["spec"]["containers"]
    env = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert env["OUTLAY_ALERTER_CONSOLE_URL"] == "https://outlay.example.com"


def test_what_setup_needs_is_there_before_it_on_a_first_install(tmp_path: Path) -> None:
    documents = rendered(tmp_path, EVERYTHING)
    [job] = [document for key, document in documents.items() if key.startswith("Job setup")]
    for name in ("outlay", "outlay-keys"):
        secret = documents[f"ExternalSecret {name}"]
        theirs, setups = (part["metadata"]["annotations"] for part in (secret, job))
        assert theirs["helm.sh/hook"] == setups["helm.sh/hook"]
        assert int(theirs["helm.sh/hook-weight"]) < int(setups["helm.sh/hook-weight"])
        assert secret["spec"]["target"] == {"name": name, "creationPolicy": "Orphan"}


def test_keda_asks_for_the_lag_of_each_group_with_the_rights_that_are_named(tmp_path: Path) -> None:
    [trigger] = rendered(tmp_path, EVERYTHING)["ScaledObject pricer"]["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": "kafka-lag"}
    assert trigger["metadata"]["consumerGroup"] == "outlay-pricer"


def test_setup_runs_before_each_install_and_upgrade(tmp_path: Path) -> None:
    [job] = [document for key, document in rendered(tmp_path, {}).items() if key.startswith("Job setup")]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        "outlay",
        "setup",
        "--replication-factor",
        "3",
        "--min-insync-replicas",
        "2",
    ]
