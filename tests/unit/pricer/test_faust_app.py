"""How the pricer sets up Faust."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.exceptions import NotReady

from outlay_pricer.faust_app import UnreadableCodecError, require_codecs, send


def test_every_codec_of_kafka_can_be_read() -> None:
    require_codecs()


def test_a_pricer_without_a_codec_says_which_and_the_remedy_before_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    with pytest.raises(UnreadableCodecError, match="snappy, lz4, zstd cannot be read: install cramjam"):
        require_codecs()


START = """
import asyncio, os, sys
from outlay_pricer.faust_app import create_app
from outlay_pricer.settings import Settings
app = create_app(Settings())
os.chdir(sys.argv[1])
if os.getuid() == 0:
    os.setuid(65534)
assert not os.access(".", os.W_OK)
asyncio.run(app.on_first_start())
"""


def test_another_user_can_start_it_in_a_folder_where_nothing_may_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    command = [sys.executable, "-W", "ignore", "-c", START, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    tmp_path.chmod(0o755)


@pytest.mark.parametrize(("stopping", "raised"), [(True, asyncio.CancelledError), (False, NotReady)])
async def test_what_was_not_sent_when_the_app_stops_is_not_a_fault(
    stopping: bool, raised: type[BaseException]
) -> None:
    """The producer stops first: a record that was being priced then ended the process with an error."""

    async def refuse(*_: object) -> None:
        raise NotReady("Producer service not yet started")

    app: Any = SimpleNamespace(producer=SimpleNamespace(send=refuse), should_stop=stopping)
    with pytest.raises(raised):
        await send(app, "cost.events", b"1")
