"""The README's own commands, run as they stand."""

import json
import re
import shlex
from pathlib import Path

import pytest
from tests.support.system import Cli

pytestmark = pytest.mark.stack

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_commands_of_the_readme_work_on_its_event(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    [event] = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    (cli.home / "usage.ndjson").write_text(json.dumps(json.loads(event)))
    monkeypatch.chdir(cli.home)
    [block] = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "outlay up" in block]
    ran = []
    for line in block.splitlines():
        command = shlex.split(line, comments=True)
        if command[0] == "outlay" and command[1] not in ("up", "down"):
            cli(*command[1:])
            ran.append(command[1])
    assert ran == ["status", "emit", "query", "report", "audit"]
    [priced] = [json.loads(line) for line in cli("price", "usage.ndjson").splitlines()]
    # 712 fresh and 4096 cached tokens at $3 and $0.30 a million, 110 at $15
    assert priced["cost"] == "0.0050148"
