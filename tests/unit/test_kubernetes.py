"""deploy/kubernetes is what Kubernetes takes, and the same system as the local one."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlay.local.system import SERVICES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    import kubernetes_validate

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
BASE: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
DOCUMENTS: dict[str, dict[str, Any]] = {
    f"{document['kind']} {document['metadata']['name']}": document
    for name in BASE["resources"]
    for document in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
}
SUPPORTED = ("1.34", "1.37")
"""The oldest version of Kubernetes that is still kept up, and the newest that the schemas know."""


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in DOCUMENTS.items():
        if document["kind"] in ("Deployment", "Job"):
            yield name, document["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_what_its_schema_says(name: str, version: str) -> None:
    kubernetes_validate.validate(DOCUMENTS[name], version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    wrong = {**DOCUMENTS["Deployment ingest"], "spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, SUPPORTED[-1], strict=True)


def test_the_base_names_every_file_once() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert sorted(BASE["resources"]) == sorted(files)
    assert [image["name"] for image in BASE["images"]] == ["outlay"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_started_as_the_local_one_is(name: str) -> None:
    spec = DOCUMENTS[f"Deployment {name}"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", SERVICES[name]]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    probes = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")}
    assert probes == {"liveness": "/livez", "readiness": "/readyz"}


@pytest.mark.parametrize(("name", "spec"), list(pods()))
def test_each_pod_runs_with_few_rights_and_within_limits(name: str, spec: dict[str, Any]) -> None:
    assert spec["securityContext"]["runAsNonRoot"]
    for container in spec["containers"]:
        assert container["image"] == "outlay"
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_no_secret_is_written_down_and_all_come_from_one() -> None:
    for _, spec in pods():
        for container in spec["containers"]:
            for variable in container["env"]:
                if re.search("PASSWORD", variable["name"]):
                    assert variable["valueFrom"]["secretKeyRef"]["name"] == "outlay"
    assert not any(document["kind"] == "Secret" for document in DOCUMENTS.values())
