"""One example of each message, for the documents in schemas/json: a call of a model, from its usage to an alert."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.catalog import Budget, Catalog
from outlay_schemas.cloudevents import EVENT_TYPE
from outlay_schemas.events import CostEvent, DeadLetter, RollupGroup, RollupWindow, UsageEvent, encoder
from outlay_schemas.money import Usd

_AT = datetime(2026, 11, 24, 12, 0, 3, tzinfo=UTC)
_MINUTE, _MONTH, _NEXT = (
    _AT.replace(second=0),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
)
_COST = Usd("0.0031")
_USAGE = UsageEvent(
    id="req-8f14", source="assistant", time=_AT, kind="llm", provider="openai", sku="gpt-5", activity="inference",
    usage={"input_tokens": 1200, "output_tokens": 160}, team="growth", user="u-17", tags={"env": "prod"},
)  # fmt: skip
_PRICED = CostEvent(
    id=_USAGE.id, source=_USAGE.source, time=_AT, kind="llm", sku="gpt-5", provider="openai", tenant="acme",
    usage=_USAGE.usage, activity="inference", revision=7, fingerprint=815, cost=_COST, price_status="priced",
    price_ref="genai-prices@0.0.47#gpt-5", cost_parts={"input_tokens": Usd("0.0015"), "output_tokens": Usd("0.0016")},
    team="growth", user="u-17", business_unit="consumer", tags={"env": "prod"}, accepted_ms=1795608003412,
)  # fmt: skip
_REFUSED = DeadLetter(
    id="0c5d1b7a", tenant="acme", stage="ingest", code="wrong_type", message="Expected `int`, got `str`",
    path="usage.input_tokens", at=_AT, body=b'{"id": "req-8f15", "usage": {"input_tokens": "many"}}',
)  # fmt: skip
_WINDOW = RollupWindow(
    tenant="acme", grain="minute", window=_MINUTE, version=1882834327543382028,
    groups=[
        RollupGroup(
            project="", team="growth", business_unit="consumer", use_case="", provider="openai", sku="gpt-5",
            kind="llm", activity="inference", user="u-17", cost=_COST, events=1, unpriced_events=0,
            usage={"input_tokens": Decimal(1200), "output_tokens": Decimal(160)},
        )
    ],
)  # fmt: skip
_ALERT = Alert(
    id="53ca973db855c36748cf21fce7914b1e", tenant="acme", rule="growth", rule_type="budget",
    scope={"team": "growth"}, window=_MONTH, window_end=_NEXT, level="80", severity="warning", state="firing",
    title="Growth budget: 80% used ($80.00 of $100.00)",
    summary="$80.00 of $100.00 spent in the month from 2026-11-01 00:00 UTC. This alert is for 80%, which is $80.00.",
    expected=Usd("80"), actual=Usd("80.0031"), contributors=[Contributor("user", "u-17", Usd("61.2"))],
    contributors_total=Usd("80.0031"), at=_AT, started_at=_AT, fired_at=_AT, facts={"until": "2026-12-01 00:00 UTC"},
    query="SELECT * FROM costs_minutely WHERE tenant = 'acme' AND team IN ('growth')",
)  # fmt: skip
_CATALOG = Catalog(
    revision=7, created_at=_AT,
    budgets=(Budget(id="growth", name="Growth", tenant="acme", amount=Decimal(100), scope={"team": ("growth",)}),),
)  # fmt: skip


def examples() -> Mapping[str, Any]:
    """Return an example of each message as JSON has it, by the name of its document."""
    plain = {
        name: msgspec.json.decode(encoder.encode(message))
        for name, message in {
            "usage-event": _USAGE, "cost-event": _PRICED, "dead-letter": _REFUSED, "rollup-window": _WINDOW,
            "alert": _ALERT,
        }.items()
    }  # fmt: skip
    usage = plain["usage-event"]
    envelope = {name: usage[name] for name in ("id", "source", "time")}
    inside = {name: value for name, value in usage.items() if name not in envelope}
    plain["usage-cloudevent"] = {**envelope, "specversion": "1.0", "type": EVENT_TYPE, "data": inside}
    plain["catalog"] = _CATALOG.model_dump(mode="json", exclude_defaults=True)
    return plain
