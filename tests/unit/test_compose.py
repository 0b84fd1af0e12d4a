"""docker-compose.yml is the same system as the local one. What a machine without Docker can check of it."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlay.embedded.jars import KAFKA_VERSION
from outlay.local.system import SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PARTS: dict[str, Any] = COMPOSE["services"]


def test_it_has_every_service_and_the_stores() -> None:
    assert set(PARTS) == {*SERVICES, "kafka", "clickhouse", "setup", "outlay", "prometheus", "grafana"}
    assert {name for name, part in PARTS.items() if part.get("profiles")} == {
        "outlay",
        "prometheus",
        "grafana",
    }
    assert PARTS["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_started_as_the_local_one_is(name: str) -> None:
    assert PARTS[name]["command"] == ["python", "-m", SERVICES[name]]
    assert find_spec(SERVICES[name])


@pytest.mark.parametrize("name", sorted(set(PARTS) - set(SERVICES) - {"setup", "outlay"}))
def test_each_store_has_a_health_check(name: str) -> None:
    assert PARTS[name]["healthcheck"]["test"]
    if name in (
        "kafka",
        "clickhouse",
    ):  # on a busy machine Kafka starts in minutes; `up` gives up what is unhealthy
        assert PARTS[name]["healthcheck"]["start_period"] == "300s"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_healthy_only_when_it_is_ready(name: str) -> None:
    assert "healthcheck" not in PARTS[name]  # the image's own, which asks /readyz
    assert re.search(r"HEALTHCHECK[^\n]*\n[^\n]*/readyz", (ROOT / "Dockerfile").read_text("utf-8"))


@pytest.mark.parametrize("name", PARTS)
def test_each_part_listens_on_loopback_only_and_is_bounded(name: str) -> None:
    part = PARTS[name]
    assert all(port.startswith("127.0.0.1:") for port in part.get("ports", []))
    assert part["mem_limit"]
    assert part["logging"]["options"]["max-size"]
    assert "no-new-privileges:true" in part["security_opt"]


@pytest.mark.parametrize("name", [*SERVICES, "setup", "outlay"])
def test_each_service_runs_read_only_without_capabilities(name: str) -> None:
    assert PARTS[name]["read_only"]
    assert PARTS[name]["cap_drop"] == ["ALL"]
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text("utf-8")


def test_each_service_has_only_the_passwords_that_it_needs() -> None:
    passwords = {
        name: {variable for variable in part.get("environment", {}) if "PASSWORD" in variable}
        for name, part in PARTS.items()
    }
    assert not passwords["ingest"] | passwords["pricer"]
    assert passwords["aggregator"] == {"OUTLAY_CLICKHOUSE_PASSWORD"}
    writable = {name for name, part in PARTS.items() if "keys:/keys" in part.get("volumes", [])}
    assert writable == {"outlay", "console"}  # Set-up creates and revokes keys


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_of_a_service_can_be_given_in_a_file_of_its_own(name: str) -> None:
    assert PARTS[name]["env_file"] == [{"path": f"{name}.env", "required": False}]


def test_generated_passwords_are_kept_and_never_committed_or_copied_into_an_image(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = Path(shutil.copy(ROOT / "deploy/compose-init", tmp_path / "deploy"))
    (tmp_path / ".env").write_text("OUTLAY_READER_PASSWORD=mine\nOUTLAY_GRAFANA_PASSWORD=\n")
    first = _generated(script)
    assert first["OUTLAY_READER_PASSWORD"] == "mine"
    assert set(first) == _required()
    assert len(set(first.values())) == len(first)
    assert all(len(value) == 48 for name, value in first.items() if name != "OUTLAY_READER_PASSWORD")
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0 or os.getuid() == 0
    assert _generated(script) == first
    for ignored in (".gitignore", ".dockerignore"):
        lines = (ROOT / ignored).read_text("utf-8").splitlines()
        assert ".env" in lines, ignored
        assert "*.env" in lines, ignored


def _generated(script: Path) -> dict[str, str]:
    subprocess.run([script], check=True, capture_output=True)
    lines = (script.parents[1] / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_no_password_has_a_default() -> None:
    for part in PARTS.values():
        for variable, value in part.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert re.match(r"\$\{\w+:\?", value), variable


def test_what_is_kept_has_a_volume() -> None:
    kept = {"kafka", "clickhouse", "keys", "console", "prometheus", "grafana"}
    assert kept == set(COMPOSE["volumes"])


def test_every_image_of_others_is_of_one_version() -> None:
    for part in PARTS.values():
        assert re.search(r":v?\d+\.\d+", part["image"]), part["image"]


def test_mounted_files_exist_and_grafana_gets_the_variables_of_its_sources() -> None:
    for part in PARTS.values():
        for volume in part.get("volumes", []):
            if volume.startswith("./") and not volume.startswith("./secrets:"):  # the user's own
                assert (ROOT / volume.split(":")[0]).exists(), volume
    sources = (ROOT / "deploy/grafana/provisioning/datasources/outlay.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", sources)) <= set(PARTS["grafana"]["environment"])


def test_every_password_is_named_where_people_fill_them_in() -> None:
    named = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert _required() == named


def _required() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text("utf-8")))


@pytest.mark.parametrize(
    ("role", "without"),
    [
        ("ingest", {"clickhouse-connect", "numpy", "pyarrow", "pandas"}),
        ("pricer", {"numpy", "pyarrow", "pandas"}),
        ("aggregator", {"numpy", "pyarrow", "pandas"}),
    ],
)
def test_images_of_the_hot_path_install_no_package_that_only_others_need(
    role: str, without: set[str]
) -> None:
    command = [sys.executable, "-m", "uv", "export", "--frozen", "--no-dev", "--no-hashes", "--no-header"]
    done = subprocess.run(
        [*command, "--package", f"outlay-{role}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    installed = set(re.findall(r"^([a-z0-9.-]+)==", done.stdout, re.MULTILINE))
    assert "msgspec" in installed
    assert not installed & without


def test_the_engine_takes_the_options_that_its_image_for_tests_gives() -> None:
    entrypoint = (ROOT / "tests/containers/offline/clickhouse/entrypoint.py").read_text("utf-8")
    usage = subprocess.run(
        [sys.executable, "-m", "outlay.embedded.chdb_server", "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    options = re.findall(r'"(--[a-z-]+)"', entrypoint)
    assert "--host" in options
    assert all(f"{option} " in usage for option in options)
