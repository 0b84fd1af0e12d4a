"""What clusters use: OpenCost's (and Kubecost's) allocations, and samples of GPUs by NVIDIA's DCGM exporter. An
allocation is identified by its name and window: asked for twice, it counts once. So does a sampled interval of a
device, by however many metrics. A device is a GPU, or the part of one (MIG) that its profile says. Pods that take
turns on it (time-slicing) share the interval evenly."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from outlay_ingest.domain.coercion import count, first, mapping, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Head, Item, made
from outlay_ingest.domain.rejections import decode, explain
from outlay_schemas.attributes import ALLOCATION, IDLE, MIG_PROFILE, UTILIZATION
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent

Json = Mapping[str, Any]
Sample = tuple[Json, object, object]
"""Labels, time and value."""
_exact = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)

_UNITS = {"DCGM_FI_DEV_GPU_UTIL": 100, "DCGM_FI_PROF_GR_ENGINE_ACTIVE": 1}
"""Metrics of utilization, and their value of a busy GPU. The first that a device has counts: they measure the same."""
_POD = ("namespace", "pod", "container")
_PROFILE = re.compile(r"(\d+)g\.\d+gb")
_SLICES = {"A30": 4, "RTX PRO 6000": 4}
"""Compute slices of GPUs that have other than 7. Source: NVIDIA's MIG user guide, supported MIG profiles."""
_MOST_SLICES = 7


Device = tuple[str, str]
"""UUID of the GPU, and id of its instance or ""."""
Pod = tuple[str, ...]
"""Namespace, pod and container."""


@dataclass(slots=True)
class _Use:
    labels: Json
    device: Device
    pod: Pod
    samples: list[Json] = field(default_factory=list)
    values: dict[str, list[Decimal]] = field(default_factory=dict)
    """The shares of the time that it was busy, by metric."""


def read_gpus(body: bytes, head: Head) -> Iterator[Item | None]:
    """Read samples of GPUs: Prometheus' text or query API. Query: `interval`, the seconds that a sample stands for;
    `time` of samples without one; `sku`; `provider`. Raises Invalid if the body or a parameter is none."""
    interval = count(head.query.get("interval"))
    if not interval:
        raise Invalid("missing_field", "say how many seconds a sample stands for: ?interval=60", "interval")
    samples = _answer(body) if head.media == "application/json" else _exposition(body, head.query.get("time"))
    found: dict[tuple[Device, int], dict[Pod, _Use]] = {}
    for labels, time, value in samples:
        metric = str(labels.get("__name__"))
        if metric not in _UNITS:
            yield None
            continue
        raw = {"metric": labels, "time": time, "value": value}
        try:
            at = Decimal(str(moment(time, "$.time").timestamp()))
            gpu = text(first(labels, "UUID", "uuid", "gpu"))
            if gpu is None:
                raise Invalid("missing_field", "a sample without UUID belongs to no GPU", "$.metric.UUID")
        except Invalid as why:
            yield Item(why, partial(msgspec.json.encode, raw))
            continue
        device = gpu, text(labels.get("GPU_I_ID")) or ""
        pods = found.setdefault((device, int(at // Decimal(interval))), {})
        pod = tuple(text(first(labels, f"exported_{name}", name)) or "" for name in _POD)
        use = pods.setdefault(pod, _Use(labels, device, pod))
        if use.samples:
            yield None  # the same pod on the same device in the same interval
        use.samples.append(raw)
        busy = count(value)
        if busy is not None and busy <= _UNITS[metric]:  # what DCGM writes for unknown is far above any share
            use.values.setdefault(metric, []).append(Decimal(busy) / _UNITS[metric])
    yield from _items(found, interval, head)


def _items(
    found: Mapping[tuple[Device, int], Mapping[Pod, _Use]], interval: Quantity, head: Head
) -> Iterator[Item | None]:
    partitioned = {(gpu, number) for (gpu, instance), number in found if instance}
    for (device, number), uses in found.items():
        gpu, instance = device
        if not instance and (gpu, number) in partitioned:
            yield None  # its instances count
            continue
        pods = sorted(pod for pod in uses if pod[1]) or sorted(uses)
        for place, pod in enumerate(pods):
            use = uses[pod]
            # By place, not by name: where pods come and go within an interval it still adds up to one device.
            identity = "-".join(filter(None, (gpu, instance, str(number), str(place) if place else "")))[:256]
            start, share = number * Decimal(interval), Fraction(interval) / len(pods)
            make = partial(_event, identity, use, start, share, head)
            yield made(make, partial(msgspec.json.encode, use.samples))


def _event(identity: str, use: _Use, start: Decimal, share: Fraction, head: Head) -> UsageEvent:
    labels, device, pod = use.labels, use.device, use.pod
    seconds = share * _part(labels, device[1])
    host = text(first(labels, "Hostname", "hostname", "instance")) or "host"
    return UsageEvent(
        id=identity,
        source=f"dcgm/{host}"[:256],
        time=moment(start, "$.time"),
        kind="compute",
        provider=head.query.get("provider", "")[:256],
        sku=text(head.query.get("sku")) or text(labels.get("modelName")) or "gpu",
        usage={"gpu_seconds": count(Decimal(seconds.numerator) / seconds.denominator) or 0},
        project=pod[0] or None,
        tags=texts({"host": host, "gpu": device[0], "gpu_instance": device[1], "pod": pod[1], "container": pod[2]}),
        attributes=texts({
            ALLOCATION: "" if pod[1] else IDLE,
            UTILIZATION: _utilization(use),
            MIG_PROFILE: labels.get("GPU_I_PROFILE"),
        }),
    )  # fmt: skip


def _part(labels: Json, instance: str) -> Fraction:
    if not instance:
        return Fraction(1)
    profile = text(labels.get("GPU_I_PROFILE")) or ""
    match = _PROFILE.match(profile)
    model = text(labels.get("modelName")) or ""
    slices = next((number for name, number in _SLICES.items() if name in model), _MOST_SLICES)
    if match is None or not 0 < int(match[1]) <= slices:
        detail = f"the MIG profile {profile!r} does not say which part of {model or 'the GPU'} it is, as 3g.20gb does"
        raise Invalid("wrong_type", detail, "$.metric.GPU_I_PROFILE")
    return Fraction(int(match[1]), slices)


def _utilization(use: _Use) -> str:
    for metric in _UNITS:
        if values := use.values.get(metric):
            mean = (sum(values, Decimal(0)) / len(values)).quantize(Decimal("0.0001"))
            return f"{mean.normalize():f}"
    return ""


def _answer(body: bytes) -> Iterator[Sample]:
    results = mapping(decode(_exact, body).get("data")).get("result")
    if not isinstance(results, list):
        raise Invalid("missing_field", "an answer of Prometheus has a list in data.result", "$.data.result")
    for result in results:
        labels = mapping(mapping(result).get("metric"))
        values = mapping(result).get("values") or [mapping(result).get("value")]
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


_GB = Decimal(10**9)
_UNUSED = "__idle__"
"""What OpenCost calls the part of a cluster that nothing is allocated to."""
_TAGS = ("cluster", "namespace", "controller", "controllerKind", "pod", "container", "node")
_HOURS = (("cpuCoreHours", "cpu_core_hours", Decimal(1)), ("gpuHours", "gpu_hours", Decimal(1)),
          ("ramByteHours", "ram_gb_hours", _GB), ("pvByteHours", "disk_gb_hours", _GB),
          ("networkTransferBytes", "network_gb", _GB))  # fmt: skip


def read_opencost(body: bytes) -> Iterator[Item | None]:
    """Read an answer of `/allocation`; None for allocations of nothing. Raises Invalid if the body is none."""
    sets = decode(_exact, body).get("data")
    if not isinstance(sets, list):
        detail = "an answer of OpenCost has a list of allocation sets in data"
        raise Invalid("missing_field", detail, "$.data")
    for number, group in enumerate(sets):
        for name, allocation in mapping(group).items():
            raw = partial(msgspec.json.encode, {"data": [{name: allocation}]})
            yield made(partial(_allocation, name, mapping(allocation)), raw, f"$.data[{number}].{name}"[:200])


def _allocation(name: str, allocation: Json) -> UsageEvent | None:
    window, properties = mapping(allocation.get("window")), mapping(allocation.get("properties"))
    start, end = text(window.get("start")), text(window.get("end"))
    labels = {**mapping(properties.get("namespaceLabels")), **mapping(properties.get("labels"))}
    labels = {name.replace("-", "_"): value for name, value in labels.items()}
    owners: dict[str, Any] = {name: text(labels.get(name)) for name in OWNERS}
    owners["project"] = owners["project"] or text(properties.get("namespace"))
    usage: dict[str, Quantity] = {}
    for spelling, meter, unit in _HOURS:
        value = count(allocation.get(spelling))
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
