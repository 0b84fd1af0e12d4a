"""What a cluster uses: OpenCost's (and Kubecost's) allocations.

An allocation is identified by its name and window: asked for twice, it counts once.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import count, first, moment, money, text
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.rejections import explain
from outlay_schemas.attributes import ALLOCATION, IDLE
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Quantity, UsageEvent

Json = Mapping[str, Any]
_exact = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_GB = Decimal(10**9)
_UNUSED = "__idle__"
"""What OpenCost calls the part of a cluster that nothing is allocated to."""
_HOURS = (("cpuCoreHours", "cpu_core_hours", Decimal(1)), ("gpuHours", "gpu_hours", Decimal(1)),
          ("ramByteHours", "ram_gb_hours", _GB), ("pvByteHours", "disk_gb_hours", _GB),
          ("networkTransferBytes", "network_gb", _GB))  # fmt: skip


def read_opencost(body: bytes) -> Iterator[Item | None]:
    """Read an answer of `/allocation`. Sets that are null and allocations of nothing are passed over.

    Raises Invalid if the body is none.
    """
    try:
        sets = _exact.decode(body).get("data")
    except UNREADABLE as error:
        raise explain(error, body) from None
    if not isinstance(sets, list):
        raise Invalid(
            "missing_field", "an answer of OpenCost has a list of allocation sets in data", "$.data"
        )
    for number, group in enumerate(sets):
        for name, allocation in _mapping(group).items():
            raw = partial(msgspec.json.encode, {"data": [{name: allocation}]})
            place = f"$.data[{number}].{name}"[:200]
            try:
                event = _allocation(name, _mapping(allocation))
            except Invalid as why:
                yield Item(why, raw, place)
                continue
            yield None if event is None else Item(event, raw, place)


def _allocation(name: str, allocation: Json) -> UsageEvent | None:
    window, properties = _mapping(allocation.get("window")), _mapping(allocation.get("properties"))
    start, end = text(first(window, "start")), text(first(window, "end"))
    labels = {
        key.replace("-", "_"): value
        for key, value in {
            **_mapping(properties.get("namespaceLabels")),
            **_mapping(properties.get("labels")),
        }.items()
    }
    owners: dict[str, Any] = {name: text(labels.get(name)) for name in OWNERS}
    owners["project"] = owners["project"] or text(properties.get("namespace"))
    usage: dict[str, Quantity] = {}
    for field, meter, unit in _HOURS:
        value = count(allocation.get(field))
        if value and (amount := count(Decimal(value) / unit)):
            usage[meter] = amount
    cost = money(allocation.get("totalCost"))
    if cost is None or (not cost and not usage):
        return None
    cluster = text(properties.get("cluster")) or "cluster"
    return UsageEvent(
        id=digest((name, start or "", end or "")),
        source=f"opencost/{cluster}"[:256],
        time=moment(start or allocation.get("start"), "$.window.start"),
        kind="compute",
        provider="kubernetes",
        sku="allocation",
        usage=usage or {"allocations": 1},
        **owners,
        tags=_tags(properties, name),
        attributes={ALLOCATION: IDLE} if name.rpartition("/")[2] == _UNUSED else {},
        reported_cost=cost,
    )


def _tags(properties: Json, name: str) -> dict[str, str]:
    wanted = ("cluster", "namespace", "controller", "controllerKind", "pod", "container", "node")
    tags = {field: shown for field in wanted if (shown := text(properties.get(field))) is not None}
    return {"allocation": name[:256], **tags}


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
