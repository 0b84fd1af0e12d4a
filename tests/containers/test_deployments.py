"""Each pod of deploy/kubernetes as a container, with what a kubelet enforces, on the stores of the composition: user,
read-only root, no capabilities, memory, environment from Secrets, Secret volumes (links, read-only, root's)."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.composition import ROOT, Composition
from tests.support.waiting import until

from outlay.local.system import SERVICES

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
DOCUMENTS = [d for d in yaml.safe_load_all((ROOT / "deploy/kubernetes/outlay.yaml").read_text("utf-8")) if d]
PROBE = "import urllib.request as u; u.urlopen('http://127.0.0.1:9400/readyz', timeout=5)"


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{words}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout


class Pods:
    """Pods as `docker run` starts them in the network of the composition."""

    def __init__(self, secrets: dict[str, dict[str, str]], folder: Path) -> None:
        self._secrets, self._folder = secrets, folder
        self.names: list[str] = []

    def start(self, document: dict[str, Any]) -> str:
        """Start the container of a Deployment or a Job; return its name."""
        spec = document["spec"]["template"]["spec"]
        [container] = spec["containers"]
        rights, user = container["securityContext"], spec["securityContext"]["runAsUser"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        name = f"pod-{document['metadata']['name']}"
        command = [
            "run", "-d", "--name", name, "--network", "outlay_default", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--user", f"{user}:{user}",
            "-m", container["resources"]["limits"]["memory"].removesuffix("i").lower(),
        ]  # fmt: skip
        if name == "pod-ingest":
            command += ["-p", "127.0.0.1:8080:8080"]
        for variable in container["env"]:
            value = variable["value"] if "value" in variable else self._value(variable["valueFrom"])
            command += ["-e", f"{variable['name']}={value}"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            path, secret = mount["mountPath"], volumes[mount["name"]].get("secret")
            if secret:
                command += ["-v", f"{self._volume(secret['secretName'])}:{path}:ro"]
            else:
                command += ["--mount", f"type=tmpfs,destination={path},tmpfs-mode=1777"]
        self.names.append(name)
        docker(*command, container["image"], *container["command"])
        return name

    def _value(self, source: dict[str, Any]) -> str:
        wanted = source["secretKeyRef"]
        return self._secrets[wanted["name"]][wanted["key"]]

    def _volume(self, name: str) -> Path:
        folder = self._folder / name
        if not folder.exists():
            (folder / "..2026_11_30").mkdir(parents=True)
            (folder / "..data").symlink_to("..2026_11_30")
            for key, value in self._secrets[name].items():
                (folder / "..data" / key).write_text(value)
                (folder / key).symlink_to(f"..data/{key}")
        return folder

    def ready(self, name: str) -> bool:
        state = json.loads(docker("inspect", "--format", "{{json .State}}", name))
        assert state["Running"], f"{name} ended: {docker('logs', '--tail', '20', name)}"
        probe = ["docker", "exec", name, "python", "-c", PROBE]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture
def pods(composition: Composition, tmp_path: Path) -> Iterator[Pods]:
    if not composition.key:  # this file runs alone
        composition.up()
        composition.create_key()
    lines = (composition.folder / ".env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if "=" in line)
    keys = composition.compose("run", "--rm", "-T", "--entrypoint", "cat", "outlay", "/keys/keys.json")
    stores = {
        "clickhouse-password": env["OUTLAY_CLICKHOUSE_PASSWORD"],
        "reader-password": env["OUTLAY_READER_PASSWORD"],
        "console-writer-password": env["OUTLAY_CONSOLE_WRITER_PASSWORD"],
        "console.secret": "0" * 64,
    }
    composition.compose("stop", *SERVICES)
    made = Pods({"outlay": stores, "outlay-keys": {"keys.json": keys}}, tmp_path)
    yield made
    if made.names:
        docker("rm", "-f", *made.names)
    composition.compose("start", *SERVICES)


def test_each_pod_of_kubernetes_becomes_ready_and_prices_an_event(
    composition: Composition, pods: Pods
) -> None:
    before = composition.totals()[0]
    [job] = [document for document in DOCUMENTS if document["kind"] == "Job"]
    assert docker("wait", setup := pods.start(job)).strip() == "0", docker("logs", setup)
    started = time.monotonic()
    names = [pods.start(document) for document in DOCUMENTS if document["kind"] == "Deployment"]
    assert {name.removeprefix("pod-") for name in names} == set(SERVICES)
    for name in names:
        until(lambda: pods.ready(name), 300, f"{name} ready")  # noqa: B023
    ready = time.monotonic() - started
    composition.send("kubernetes", 1)
    until(lambda: composition.totals()[0] == before + 1, 240, "the event in the rollups")
    composition.done(
        "each pod of the chart as a container: user, read-only root, Secrets, memory",
        f"setup ends with 0, {len(names)} pods ready in {ready:.0f} s, an event counted",
    )
