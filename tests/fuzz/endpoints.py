"""Requests made of /openapi.json against ingest: `make fuzz`. Responses match their description and are never 5xx."""

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient
from tests.support.ingest_rig import NDJSON, Rig

from outlay_ingest.domain.endpoints import ENDPOINTS

FOLDER = tempfile.TemporaryDirectory()
RIG = Rig(Path(FOLDER.name))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", RIG.endpoint.app())
CHECKED = (NDJSON, *(media for gate in ENDPOINTS for media in gate.media))


@SCHEMA.parametrize()  # type: ignore[untyped-decorator] # the library is not installed where types are checked
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_endpoint_answers_as_described(case: Any) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {RIG.key}"}
    response = case.call()
    assert response.status_code < 500
    case.validate_response(response, checks=(schemathesis.checks.not_a_server_error,))


def test_random_bytes_are_answered() -> None:
    from hypothesis import given
    from hypothesis import strategies as st

    client = TestClient(RIG.endpoint.app())
    paths = st.sampled_from([gate.path.replace("{provider}", "openai") for gate in ENDPOINTS])

    @settings(max_examples=1000, deadline=None)
    @given(paths, st.sampled_from(CHECKED), st.binary(max_size=300))
    def send(path: str, media: str, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {RIG.key}", "Content-Type": media}
        assert client.post(path, content=body, headers=headers).status_code < 500

    send()
