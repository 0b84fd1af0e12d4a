"""docker-compose.yml is the same system as the local one. What a machine without Docker can check of it."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlay.embedded.jars import KAFKA_VERSION
from outlay.local.system import SERVICES

COMPOSE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8")
)
PARTS: dict[str, Any] = COMPOSE["services"]


def test_it_has_every_service_and_the_stores() -> None:
    assert set(PARTS) == {*SERVICES, "kafka", "clickhouse", "setup", "prometheus", "grafana"}
    assert PARTS["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_started_as_the_local_one_is(name: str) -> None:
    assert PARTS[name]["command"] == ["python", "-m", SERVICES[name]]
    assert find_spec(SERVICES[name])


@pytest.mark.parametrize("name", [name for name in PARTS if name != "setup"])
def test_each_part_tells_how_it_is_and_listens_on_loopback_only(name: str) -> None:
    assert PARTS[name]["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in PARTS[name].get("ports", []))


def test_no_password_has_a_default() -> None:
    for part in PARTS.values():
        for variable, value in part.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert re.match(r"\$\{\w+:\?", value), variable


def test_what_is_kept_has_a_volume() -> None:
    assert {"kafka", "clickhouse", "keys", "prometheus", "grafana"} <= set(COMPOSE["volumes"])


def test_every_image_of_others_is_of_one_version() -> None:
    for part in PARTS.values():
        assert re.search(r":v?\d+\.\d+", part["image"]), part["image"]


def test_what_is_mounted_from_here_is_there_and_grafana_is_told_what_its_sources_ask() -> None:
    root = Path(__file__).parents[2]
    for part in PARTS.values():
        for volume in part.get("volumes", []):
            if volume.startswith("./"):
                assert (root / volume.split(":")[0]).exists(), volume
    sources = (root / "deploy/grafana/provisioning/datasources/outlay.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", sources)) <= set(PARTS["grafana"]["environment"])


def test_every_password_is_named_where_people_fill_them_in() -> None:
    root = Path(__file__).parents[2]
    asked = set(re.findall(r"\$\{(\w+):\?", (root / "docker-compose.yml").read_text("utf-8")))
    named = set(re.findall(r"^(\w+)=", (root / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert asked <= named
