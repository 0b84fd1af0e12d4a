"""The messages of the Kafka topics, as msgspec Structs. A record holds JSON objects, one per line (NDJSON). Readers
refuse unknown fields (a misspelt one is an error): upgrade from the end of the pipe to its start."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from outlay_schemas.money import Usd

Kind = Literal["llm", "compute", "storage", "transfer", "custom"]
Activity = Literal["training", "inference", "storage", "data_processing", "other"]
PriceStatus = Literal["priced", "estimated", "reported", "free", "unpriced"]
"""Each is decided by `outlay_pricer.domain.pricing`; docs/prices.md says what they mean."""
COMPUTED: frozenset[PriceStatus] = frozenset({"priced", "estimated"})
"""The statuses of a cost above 0 that was worked out from prices, whole."""
Grain = Literal["minute", "hour", "day"]

Key = Annotated[str, Meta(min_length=1, max_length=256)]
Label = Annotated[str, Meta(max_length=256)]
Aware = Annotated[datetime, Meta(tz=True)]
Quantity = Annotated[int, Meta(ge=0, le=10**15)] | Decimal
"""A usage quantity: non-negative, at most 1e15, at most 9 decimal places (`validate.py` checks Decimals)."""


class UsageEvent(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Something was used. `source` + `id` is its identity; ingest sets `tenant` from the API key."""

    id: Key
    source: Key
    time: Aware
    kind: Kind
    sku: Key
    usage: dict[Key, Quantity]
    activity: Activity | None = None
    """None: the producer does not state it, and the pricer infers it."""
    provider: Label = ""
    tenant: Label = ""
    project: Label | None = None
    team: Label | None = None
    use_case: Label | None = None
    user: Label | None = None
    business_unit: Label | None = None
    tags: dict[Key, Label] = {}
    attributes: dict[Key, Label] = {}
    reported_cost: Decimal | None = None
    """What the producer was billed, in USD, if it knows."""


class AcceptedUsage(UsageEvent, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A usage event that is priced again: it keeps the stamp that it got when it was accepted (`acceptance.py`)."""

    accepted_ms: int = 0
    accepted_seq: int = 0


class CostEvent(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A usage event with its price and its owner. A pure function of (usage event, catalog revision)."""

    id: str
    source: str
    time: datetime
    kind: Kind
    sku: str
    usage: dict[str, Quantity]
    activity: Activity
    provider: str
    tenant: str
    revision: int
    """The catalog revision that priced it; a newer one wins."""
    fingerprint: int
    """20 bits of the usage event's content: two bodies under one identity differ in it."""
    cost: Usd | None
    """USD that the provider charges. None: nothing could be priced. With status `unpriced`: the part that could."""
    price_status: PriceStatus
    """`estimated`: every meter has a price, but it rests on a guess, which `price_ref` names after `~`."""
    price_ref: str
    """Where the price comes from: book, version and rule."""
    cost_parts: dict[str, Usd] = {}
    unpriced_meters: list[str] = []
    list_cost: Usd | None = None
    """What list prices would have cost, where negotiated prices apply; None means the same as `cost`."""
    list_parts: dict[str, Usd] = {}
    """`list_cost` by meter, to which it adds up; empty: the same as `cost_parts`."""
    charged: Usd | None = None
    """USD that the internal customer pays, where a markup applies; None means the same as `cost`."""
    project: str = ""
    team: str = ""
    use_case: str = ""
    user: str = ""
    business_unit: str = ""
    given: dict[str, str] = {}
    """The dimensions as the producer sent them, where attribution changed them; empty where it sent none."""
    tags: dict[str, str] = {}
    attributes: dict[str, str] = {}
    reported_cost: Usd | None = None
    accepted_ms: int = 0
    """When the usage event was accepted, milliseconds since 1970; of two bodies the later counts. 0: not known."""
    accepted_seq: int = 0
    """Its place among the events accepted in that millisecond."""


class DeadLetter(Struct, omit_defaults=True):
    """Input that could not be used, whole, with its reason: kept to be fixed and replayed."""

    id: str
    """Stable: reading the same bytes again makes the same dead letter."""
    tenant: str
    stage: Literal["ingest", "pricer", "aggregator"]
    code: str
    message: str
    path: str
    at: datetime
    body: bytes
    """The original bytes (base64 in JSON)."""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    line: int = 0
    """Which line of the record, from 0."""


class RollupGroup(Struct, omit_defaults=True):
    """One cell of a window: its dimensions and its measures. All zero if the group vanished."""

    project: str
    team: str
    business_unit: str
    use_case: str
    provider: str
    sku: str
    kind: str
    activity: str
    user: str
    cost: Usd
    events: int
    unpriced_events: int
    usage: dict[str, Decimal] = {}
    estimated_events: int = 0
    """Events whose price rests on a guess."""
    estimated_cost: Usd = Usd("0")
    """USD of those; part of `cost`."""
    markup: Usd = Usd("0")
    """USD that internal customers pay beside the cost, by the markups that were agreed."""
    free_events: int = 0
    """Events of what the provider offers free."""


class RollupWindow(Struct, omit_defaults=True):
    """The absolute state of one (tenant, window): it replaces any with a lower version."""

    tenant: str
    grain: Grain
    window: datetime
    """Start, UTC."""
    version: int
    groups: list[RollupGroup]


accepted_usage_decoder = msgspec.json.Decoder(AcceptedUsage)
usage_event_decoder = msgspec.json.Decoder(UsageEvent)
cost_event_decoder = msgspec.json.Decoder(CostEvent)
dead_letter_decoder = msgspec.json.Decoder(DeadLetter)
rollup_window_decoder = msgspec.json.Decoder(RollupWindow)
encoder = msgspec.json.Encoder()
