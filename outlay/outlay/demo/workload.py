"""Turns a trace into usage events. Pure: the same trace and start give the same events and ids. Times between calls
and token counts are the trace's; models, teams, projects, users, GPUs, storage and transfer are invented here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

from outlay.demo.trace import Call
from outlay_schemas.events import Activity, UsageEvent

INCIDENT = (timedelta(minutes=45), timedelta(minutes=49))
"""When, after the start, a CI job loops and repeats the trace's largest calls on the most expensive model."""
INCIDENT_CALLS = 600


@dataclass(frozen=True, slots=True)
class Workload:
    """A share of the calls, in percent, and who makes them with what."""

    share: int
    team: str
    project: str
    use_case: str
    provider: str
    sku: str
    users: int
    activity: Activity = "inference"


WORKLOADS = (
    Workload(40, "developer-tools", "code-assistant", "completion", "anthropic", "claude-sonnet-4-5", 40),
    Workload(20, "developer-tools", "code-review", "review", "openai", "gpt-4.1", 25),
    Workload(15, "platform", "test-writer", "test-generation", "google", "gemini-2.5-flash", 10),
    Workload(15, "growth", "support-chat", "support", "anthropic", "claude-haiku-4-5", 60),
    Workload(8, "data-science", "evals", "evaluation", "openai", "gpt-4.1-mini", 3, "data_processing"),
    # A model that no price list knows: its calls are unpriced, which is not the same as free.
    Workload(2, "research", "prototype", "experiment", "acme", "acme-code-7b", 2),
)


LOOPING = Workload(0, "developer-tools", "code-review", "review", "anthropic", "claude-opus-4-1", 1)
"""What the job of the incident does."""


def usage_events(calls: Sequence[Call], start: datetime) -> list[UsageEvent]:
    """Return all events by time; the first call is at `start` (UTC), which is part of their source."""
    source = f"demo/azure-llm-code-2023/{start:%Y%m%dT%H%M%SZ}"
    shift = start - calls[0].at
    events = []
    for i, call in enumerate(calls):
        work = _workload(i)
        user = f"{work.team[:3]}-{_pick(i, 'user') % work.users:02d}"
        events.append(
            _call_event(f"call-{i:07d}", source, call.at + shift, call, work, user=user, env="prod")
        )
    begin, end = INCIDENT
    if calls[-1].at - calls[0].at >= end:
        largest = sorted(calls, key=lambda call: (-call.context_tokens, call.at))[:INCIDENT_CALLS]
        for i, call in enumerate(largest):
            at = start + begin + (end - begin) * i / len(largest)
            events.append(_call_event(f"loop-{i:07d}", source, at, call, LOOPING, user="ci-bot", env="ci"))
    for minute in range(int((calls[-1].at - calls[0].at).total_seconds() // 60) + 1):
        events += _infrastructure(minute, source, start + timedelta(minutes=minute))
    return sorted(events, key=lambda event: event.time)


def _call_event(
    name: str, source: str, at: datetime, call: Call, work: Workload, *, user: str, env: str
) -> UsageEvent:
    return UsageEvent(
        id=name,
        source=source,
        time=at,
        kind="llm",
        activity=work.activity,
        provider=work.provider,
        sku=work.sku,
        usage={"input_tokens": call.context_tokens, "output_tokens": call.generated_tokens},
        project=work.project,
        team=work.team,
        use_case=work.use_case,
        user=user,
        tags={"env": env},
    )


def _workload(index: int) -> Workload:
    draw = _pick(index, "workload") % 100
    return next(work for n, work in enumerate(WORKLOADS) if draw < sum(w.share for w in WORKLOADS[: n + 1]))


def _pick(index: int, what: str) -> int:
    return crc32(f"{what}/{index}".encode())


def _infrastructure(minute: int, source: str, at: datetime) -> Iterator[UsageEvent]:
    def event(name: str, **what: Any) -> UsageEvent:
        region = {"region": "us-east-1"}
        return UsageEvent(
            id=f"{name}-{minute:05d}", source=source, time=at, provider="aws", attributes=region, **what
        )

    yield event(
        "gpu", kind="compute", activity="training", sku="p5.48xlarge", usage={"compute_seconds": 60},
        project="code-model", team="research", use_case="fine-tuning",
    )  # fmt: skip
    yield event(
        "egress", kind="transfer", activity="other", sku="internet-egress", usage={"gb": Decimal("0.85")},
        project="support-chat", team="growth",
    )  # fmt: skip
    if minute % 10 == 0:
        yield event(
            "vectors", kind="storage", activity="storage", sku="ebs-gp3", usage={"gb_hours": Decimal("341.25")},
            project="code-assistant", team="platform",
        )  # fmt: skip
