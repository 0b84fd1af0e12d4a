"""docker-compose.yml in a clean checkout, used as a user would."""

import json
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


INGEST, CONSOLE = "http://127.0.0.1:8080", "http://127.0.0.1:8088"


SCALE = ("--scale", "pricer=2", "--scale", "aggregator=2")
NO_ULIMITS = "services:\n  clickhouse:\n    ulimits: !reset {}\n"
"""Where an engine may not raise the limit of open files (no CAP_SYS_RESOURCE)."""


@dataclass
class Composition:
    """The composition in a clean checkout of its own."""

    folder: Path
    key: str = ""
    rows: list[str] = field(default_factory=list)
    """What was done and what came of it, for the table at the end."""

    def compose(self, *words: str, seconds: float = 600) -> str:
        """Run docker compose; return what it printed to stdout."""
        command = ["docker", "compose", *words]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-1500:]}{done.stderr[-3000:]}"
        return done.stdout

    def up(self) -> None:
        self.compose("up", "-d", "--wait", "--pull", "missing", "--no-build", *SCALE)

    def create_key(self) -> None:
        """Create a key as a user does after the first start."""
        scopes = ("--scope", "ingest", "--scope", "read", "--scope", "admin")
        self.key = json.loads(self.outlay("keys", "create", *scopes, "--json"))["key"]

    def outlay(self, *words: str) -> str:
        """Run the command line in the composition."""
        return self.compose("run", "--rm", "-T", "outlay", *words)

    def post(self, source: str, count: int) -> int:
        """Send events once; return the status, or 0 if the connection failed."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        used = {"usage": {"input_tokens": 1000, "output_tokens": 100}, "team": "growth"}
        event = {"source": source, "time": now, "kind": "llm", "provider": "openai", "sku": "gpt-5", **used}
        body = "\n".join(json.dumps({**event, "id": str(n)}) for n in range(count))
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/x-ndjson"}
        try:
            answer = httpx.post(f"{INGEST}/v1/events", content=body, headers=headers, timeout=40)
        except httpx.TransportError:
            return 0
        assert answer.status_code in {202, 502, 503}, answer.text
        return answer.status_code

    def send(self, source: str, count: int) -> None:
        """Send events until they are accepted, as a client does that keeps them."""
        until(lambda: self.post(source, count) == 202, 300, "202")

    def totals(self) -> tuple[int, str]:
        """Return (events, cost in USD) of the rollups."""
        answer = self.outlay(
            "query", "--json", "SELECT sum(events) AS n, toString(sum(cost)) AS c FROM costs_daily"
        )
        [row] = json.loads(answer)
        return int(row["n"]), str(row["c"])

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each service's container: of several the one that is worst."""
        lines = self.compose("ps", "-a", "--format", "json").splitlines()
        rows = sorted(map(json.loads, lines), key=lambda row: row["Health"] != "healthy")
        return {row["Service"]: row for row in rows}

    def done(self, what: str, result: object) -> None:
        self.rows.append(f"| {what} | {result} |")


def may_raise_ulimits() -> bool:
    """Return whether the engine may give a container more open files than it has itself."""
    text = (ROOT / "docker-compose.yml").read_text()
    wanted = re.findall(r"nofile: \{soft: (\d+)", text)[0]
    image = re.findall(r"image: (outlay-ingest:\S+)", text)[0]
    command = ["docker", "run", "--rm", "--ulimit", f"nofile={wanted}:{wanted}", image, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def images(composition: Composition) -> Sequence[str]:
    """The images that the composition builds, once each."""
    text = (composition.folder / "docker-compose.yml").read_text("utf-8")
    return sorted(set(re.findall(r"image: (outlay\S*)", text)))
