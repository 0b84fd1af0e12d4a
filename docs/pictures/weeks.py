"""Sends fifteen days of usage that end now, for pictures that show weeks: the workloads, budgets and tenant of the
demonstration, busier in working hours, with a job that looped yesterday. `python -m docs.pictures.weeks`"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import pi, sin
from random import Random
from typing import Any

from outlay.client import BATCH_EVENTS, IngestClient, Sent
from outlay.demo.run import publish_budgets
from outlay.demo.workload import LOOPING, WORKLOADS, Workload
from outlay.local.state import home_folder, require_running
from outlay.local.system import create_key
from outlay_kit.clock import SystemClock
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.tenants import DEMO_TENANT

DAYS = 15
_TRAINING = Workload(0, "research", "code-model", "fine-tuning", "aws", "p5.48xlarge", 1, "training")
_TRAFFIC = {"claude-haiku-4-5": 3, "gemini-2.5-flash": 8, "gpt-4.1-mini": 8}
"""How many times the tokens of its share a small model gets."""


def events(now: datetime) -> Iterator[UsageEvent]:
    """Yield the events up to `now`; the same `now` gives the same ones."""
    random, count = Random(7), 0  # noqa: S311

    def event(at: datetime, work: Workload, usage: dict[str, Any], **more: Any) -> UsageEvent:
        nonlocal count
        count += 1
        what: dict[str, Any] = {"kind": "llm"} | more
        return UsageEvent(
            id=f"weeks-{count}", source=f"weeks/{now:%Y%m%dT%H%M%SZ}", time=at, activity=work.activity, usage=usage,
            provider=work.provider, sku=work.sku,
            team=work.team, project=work.project, use_case=work.use_case, user=f"user-{count % 40:02}", **what,
        )  # fmt: skip

    for n in range(DAYS * 24):
        hour = now - timedelta(hours=DAYS * 24 - n)
        for work in WORKLOADS:
            night = work.project == "support-chat"  # customers also ask at night
            busy = 0.1 + max(0.4 * night, sin(pi * (hour.hour - 6) / 14) * (1 if hour.weekday() < 5 else 0.2))
            tokens = work.share * 1800 * _TRAFFIC.get(work.sku, 1) * busy * (1 + n / (DAYS * 48))
            for _ in range(3):
                some = int(tokens / 3 * random.lognormvariate(0, 0.3))
                usage = {"input_tokens": some, "output_tokens": some // 40}
                yield event(hour + timedelta(minutes=random.uniform(0, 59)), work, usage)
        if hour.weekday() < 5 and 9 <= hour.hour < 21:
            region = {"region": "us-east-1"}
            yield event(hour, _TRAINING, {"compute_seconds": 50}, kind="compute", attributes=region)
        if 19 <= DAYS * 24 - n < 23:
            for minute in range(10):
                usage = {"input_tokens": 15_000, "output_tokens": 100}
                yield event(hour + timedelta(minutes=20 + minute), LOOPING, usage)


def main() -> None:
    """Publish the budgets, send the events, and say what became of them."""
    clock, system, sent = SystemClock(), require_running(), Sent()
    publish_budgets(system.kafka_settings(), clock)
    lines = [encoder.encode(event) for event in events(clock.now())]
    with IngestClient(system.ingest, create_key(home_folder(), DEMO_TENANT, clock), clock) as client:
        for start in range(0, len(lines), BATCH_EVENTS):
            client.send(lines[start : start + BATCH_EVENTS], sent)
    sys.stdout.write(f"{sent.accepted} of {len(lines)} events accepted\n")


if __name__ == "__main__":
    main()
