"""What a cluster uses: OpenCost's (and Kubecost's) allocations, and samples of NVIDIA's DCGM exporter.

Both are asked for over and over. The identity of an allocation is its name and window, that of a sample its GPU and the
interval in which it falls: asked twice, they count once.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from outlay_ingest.domain.fields import count, first, moment, money, text
from outlay_ingest.domain.items import Head, Item
from outlay_ingest.domain.refusals import explain
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Quantity, UsageEvent

Json = Mapping[str, Any]
_exact = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_GB = Decimal(10**9)
_HOURS = (("cpuCoreHours", "cpu_core_hours", Decimal(1)), ("gpuHours", "gpu_hours", Decimal(1)),
          ("ramByteHours", "ram_gb_hours", _GB), ("pvByteHours", "disk_gb_hours", _GB),
          ("networkTransferBytes", "network_gb", _GB))  # fmt: skip

_UTILISATION = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")


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
        reported_cost=cost,
    )


def _tags(properties: Json, name: str) -> dict[str, str]:
    wanted = ("cluster", "namespace", "controller", "controllerKind", "pod", "container", "node")
    tags = {field: shown for field in wanted if (shown := text(properties.get(field))) is not None}
    return {"allocation": name[:256], **tags}


def read_gpus(body: bytes, head: Head) -> Iterator[Item | None]:
    """Read samples of GPUs: Prometheus' text format, or an answer of its query API.

    Query parameters: `interval`, the seconds that a sample stands for; `time` of samples that have none; `sku` and
    `provider`. Raises Invalid if the body or a parameter is none.
    """
    interval = count(head.query.get("interval"))
    if not interval:
        raise Invalid("missing_field", "say how many seconds a sample stands for: ?interval=60", "interval")
    samples = _answer(body) if head.media == "application/json" else _exposition(body, head.query.get("time"))
    for labels, time, value in samples:
        if labels.get("__name__") not in _UTILISATION:
            yield None
            continue
        raw = partial(msgspec.json.encode, {"metric": labels, "time": time, "value": value})
        try:
            yield Item(_sample(labels, time, value, interval, head), raw)
        except Invalid as why:
            yield Item(why, raw)


def _sample(labels: Json, time: object, value: object, interval: Quantity, head: Head) -> UsageEvent:
    gpu = text(first(labels, "UUID", "uuid", "gpu"))
    if gpu is None:
        raise Invalid("missing_field", "a sample without UUID belongs to no GPU", "$.metric.UUID")
    at = moment(time, "$.time")
    host = text(first(labels, "Hostname", "hostname", "instance")) or "host"
    namespace = text(first(labels, "exported_namespace", "namespace"))
    pod = text(first(labels, "exported_pod", "pod"))
    tags = {
        "host": host,
        "gpu": gpu,
        "pod": pod,
        "container": text(first(labels, "exported_container", "container")),
        "allocation": None if pod else "idle",
    }
    return UsageEvent(
        id=f"{gpu}-{int(Decimal(str(at.timestamp())) // Decimal(interval))}"[:256],
        source=f"dcgm/{host}"[:256],
        time=at,
        kind="compute",
        activity="other",
        provider=head.query.get("provider", "")[:256],
        sku=text(head.query.get("sku")) or text(labels.get("modelName")) or "gpu",
        usage={"gpu_seconds": interval},
        project=namespace,
        tags={name: shown for name, shown in tags.items() if shown},
        attributes={"utilisation": str(value)[:256]},
    )


Sample = tuple[Json, object, object]


def _answer(body: bytes) -> Iterator[Sample]:
    try:
        found = _exact.decode(body)
    except UNREADABLE as error:
        raise explain(error, body) from None
    results = _mapping(found.get("data")).get("result")
    if not isinstance(results, list):
        raise Invalid("missing_field", "an answer of Prometheus has a list in data.result", "$.data.result")
    for result in results:
        labels = _mapping(_mapping(result).get("metric"))
        values = _mapping(result).get("values") or [_mapping(result).get("value")]
        for pair in values if isinstance(values, list) else ():
            if isinstance(pair, list) and len(pair) == 2:
                yield labels, pair[0], pair[1]


def _exposition(body: bytes, time: str | None) -> Iterator[Sample]:
    try:
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                at: object = sample.timestamp if sample.timestamp is not None else time
                yield {**sample.labels, "__name__": sample.name}, at, sample.value
    except UnicodeDecodeError as error:
        raise explain(error, body) from None
    except (ValueError, IndexError, KeyError) as error:
        raise Invalid("exposition_malformed", f"this is not Prometheus' text format: {error}") from None


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
