"""Settings are read whole, reported whole when wrong, and never show a secret."""

import json
import os
import subprocess
import sys

import pytest

from outlay_kit.settings import ClickHouseSettings, HealthSettings, KafkaSettings, load


def run(variables: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Load the aggregator's settings in a process of its own."""
    code = "from outlay_aggregator.settings import Settings; from outlay_kit.settings import load; load(Settings)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_error_is_reported_at_once_by_its_place() -> None:
    ended = run({"OUTLAY_AGGREGATOR_LINGER_SECONDS": "-1", "OUTLAY_AGGREGATOR_WINDOW_CHUNK": "many"})
    assert ended.returncode == 2
    assert "linger_seconds" in ended.stderr
    assert "window_chunk" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_check_config_prints_what_is_in_force_without_secrets() -> None:
    secret = "hunter2-hunter2"
    ended = run(
        {
            "OUTLAY_KAFKA": "broker:9092",
            "OUTLAY_KAFKA_PASSWORD": secret,
            "OUTLAY_CLICKHOUSE_PASSWORD": secret,
        },
        "--check-config",
    )
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["kafka"]["bootstrap"] == "broker:9092"
    assert secret not in ended.stdout + ended.stderr


def test_what_a_variable_held_is_not_repeated_in_its_error() -> None:
    """It may be a secret that was put into the wrong variable."""
    ended = run({"OUTLAY_KAFKA_SECURITY_PROTOCOL": "hunter2"})
    assert ended.returncode == 2
    assert "security_protocol" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_settings_are_loaded_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_HEALTH_PORT", "8090")
    monkeypatch.setattr(sys, "argv", ["service"])
    assert load(HealthSettings).port == 8090


def test_options_of_kafka_follow_the_protocol() -> None:
    plain = KafkaSettings(bootstrap="a:1,b:2").client_options()
    assert plain["bootstrap_servers"] == ["a:1", "b:2"]
    assert plain["security_protocol"] == "PLAINTEXT"
    assert plain["reconnect_backoff_max_ms"] == 1000
    safe = KafkaSettings.model_validate(
        {"security_protocol": "SASL_SSL", "username": "u", "password": "p", "ca_file": "/ca.pem"}
    ).client_options()
    assert safe["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (safe["sasl_plain_username"], safe["sasl_plain_password"]) == ("u", "p")
    assert safe["ssl_cafile"] == "/ca.pem"
    own = {"security_protocol": "SSL", "cert_file": "/me.pem", "key_file": "/me.key"}
    mutual = KafkaSettings.model_validate(own).client_options()
    assert (mutual["ssl_certfile"], mutual["ssl_keyfile"]) == ("/me.pem", "/me.key")
    assert "sasl_mechanism" not in mutual


def test_no_repr_shows_a_password() -> None:
    settings = ClickHouseSettings.model_validate({"password": "hunter2"})
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
