"""`outlay status` and `outlay doctor` on stores and services that the environment names."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import nan

import pytest
from tests.support.commands import answer, run


@contextmanager
def service(status: int, lag: float) -> Iterator[str]:
    """Serve /readyz with a status and /metrics with a lag, as a service does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"outlay_lag_records {lag}\n".encode()
            self.send_response(status if self.path == "/readyz" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OUTLAY_CLICKHOUSE", "http://127.0.0.1:1")


def test_services_are_found_by_their_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(200, 7) as ready, service(503, nan) as waiting:  # NaN: it has not asked yet
        monkeypatch.setenv("OUTLAY_SERVICES", f"ingest={ready}, pricer={waiting},alerter=http://127.0.0.1:1")
        result = run("status", "--json")
        assert result.exit_code == 1
        found = answer(result)
        states = {part["name"]: (part["state"], part["lag"]) for part in found["processes"]}
        assert states == {
            "kafka": ("not reachable", None), "clickhouse": ("not reachable", None), "ingest": ("ready", 7),
            "pricer": ("not ready", None), "alerter": ("not reachable", None),
        }  # fmt: skip
        assert found["healthy"] is False
        checks = {check["name"]: check for check in answer(run("doctor", "--json"))}
    assert {name: check["state"] for name, check in checks.items()} == {
        "Kafka": "error", "ClickHouse": "error", "ingest": "ok", "pricer": "error", "alerter": "error",
    }  # fmt: skip
    assert "OUTLAY_SERVICES=alerter=http://HOST:9400" in checks["alerter"]["hint"]
    assert f"{waiting}/readyz" in checks["pricer"]["hint"]


def test_without_addresses_each_service_is_looked_for_at_its_own_name() -> None:
    found = {part["name"]: part["url"] for part in answer(run("status", "--json"))["processes"]}
    assert found["aggregator"] == "http://aggregator:9400"
    assert set(found) == {
        "kafka", "clickhouse", "ingest", "pricer", "repricer", "aggregator", "alerter", "console",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["ingest", "ingset=http://a:1", "ingest=a:9400"])
def test_a_wrong_list_of_addresses_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_SERVICES", text)
    result = run("status")
    assert result.exit_code == 1
    assert f'"{text}" is not NAME=URL' in result.stderr
