"""What a cluster uses: OpenCost's (and Kubecost's) allocations.

An allocation is identified by its name and window: asked for twice, it counts once.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import count, first, mapping, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Item, made
from outlay_ingest.domain.rejections import decode
from outlay_schemas.attributes import ALLOCATION, IDLE
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent

Json = Mapping[str, Any]
_exact = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_GB = Decimal(10**9)
_UNUSED = "__idle__"
"""What OpenCost calls the part of a cluster that nothing is allocated to."""
_TAGS = ("cluster", "namespace", "controller", "controllerKind", "pod", "container", "node")
_HOURS = (("cpuCoreHours", "cpu_core_hours", Decimal(1)), ("gpuHours", "gpu_hours", Decimal(1)),
          ("ramByteHours", "ram_gb_hours", _GB), ("pvByteHours", "disk_gb_hours", _GB),
          ("networkTransferBytes", "network_gb", _GB))  # fmt: skip


def read_opencost(body: bytes) -> Iterator[Item | None]:
    """Read an answer of `/allocation`. Sets that are null and allocations of nothing are passed over.

    Raises Invalid if the body is none.
    """
    sets = decode(_exact, body).get("data")
    if not isinstance(sets, list):
        raise Invalid(
            "missing_field", "an answer of OpenCost has a list of allocation sets in data", "$.data"
        )
    for number, group in enumerate(sets):
        for name, allocation in mapping(group).items():
            raw = partial(msgspec.json.encode, {"data": [{name: allocation}]})
            yield made(partial(_allocation, name, mapping(allocation)), raw, f"$.data[{number}].{name}"[:200])


def _allocation(name: str, allocation: Json) -> UsageEvent | None:
    window, properties = mapping(allocation.get("window")), mapping(allocation.get("properties"))
    start, end = text(first(window, "start")), text(first(window, "end"))
    labels = {**mapping(properties.get("namespaceLabels")), **mapping(properties.get("labels"))}
    labels = {name.replace("-", "_"): value for name, value in labels.items()}
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
        tags={"allocation": name[:256], **texts({tag: properties.get(tag) for tag in _TAGS})},
        attributes={ALLOCATION: IDLE} if name.rpartition("/")[2] == _UNUSED else {},
        reported_cost=cost,
    )
