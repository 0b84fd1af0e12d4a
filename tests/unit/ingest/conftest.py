import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.support.ingest_rig import MakeRig, Rig

from outlay_kit.telemetry import configure_logging


@pytest.fixture
def make_rig(tmp_path: Path) -> MakeRig:
    def make(**settings: object) -> Rig:
        return Rig(tmp_path, **settings)

    return make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that the process logs, as the service would write it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", written)
        configure_logging("ingest", "DEBUG")
    yield written
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
