"""Samples of GPUs: what counts as a device, and how an interval is shared."""

from decimal import Decimal
from pathlib import Path

import pytest

from outlay_ingest.domain.clusters import read_gpus
from outlay_ingest.domain.decoded_items import Head
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = "NVIDIA A100-SXM4-40GB"


def head(time: str = "2026-11-24T11:00:30Z", interval: str = "60") -> Head:
    return Head("text/plain", query={"interval": interval, "time": time, "provider": "own"})


def sample(value: float = 50, metric: str = "DCGM_FI_DEV_GPU_UTIL", at: str = "", **labels: str) -> str:
    known = {"gpu": "0", "UUID": "GPU-1", "modelName": MODEL, "Hostname": "dgx-1", **labels}
    shown = ",".join(f'{name}="{text}"' for name, text in known.items())
    return f"{metric}{{{shown}}} {value}{at}\n"


AT = head()


def read(*samples: str, asked: Head = AT) -> list[UsageEvent]:
    found = [item for item in read_gpus("".join(samples).encode(), asked) if item is not None]
    events = [item.event for item in found if isinstance(item.event, UsageEvent)]
    assert len(events) == len(found), [item.event for item in found]
    return sorted(events, key=lambda event: event.id)


def seconds(events: list[UsageEvent]) -> dict[str, Decimal]:
    return {event.id: Decimal(event.usage["gpu_seconds"]) for event in events}


def instance(number: int, profile: str, value: float = 0.5, model: str = MODEL, **labels: str) -> str:
    more = {"GPU_I_ID": str(number), "GPU_I_PROFILE": profile, "modelName": model, **labels}
    return sample(value, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "", **more)


def test_an_instance_of_a_partitioned_gpu_is_a_device_with_the_weight_of_its_profile() -> None:
    parts = [
        instance(1, "3g.20gb", pod="a"), instance(3, "2g.10gb", pod="b"), instance(9, "1g.5gb", pod="c"),
        instance(10, "1g.5gb+me"),
    ]  # fmt: skip
    events = read(*parts)
    assert [event.id for event in events] == [f"GPU-1-{n}-29925300" for n in (1, 10, 3, 9)]
    assert [(event.attributes["mig_profile"], event.usage["gpu_seconds"]) for event in events] == [
        ("3g.20gb", Decimal("25.714285714")), ("1g.5gb+me", Decimal("8.571428571")),
        ("2g.10gb", Decimal("17.142857143")), ("1g.5gb", Decimal("8.571428571")),
    ]  # fmt: skip
    assert [event.attributes.get("allocation") for event in events] == [None, "idle", None, None]
    assert {event.attributes["utilization"] for event in events} == {"0.5"}
    assert read(*parts, asked=head("2026-11-24T11:00:59Z")) == events


def test_instances_replace_the_gpu_that_they_are_parts_of() -> None:
    events = read(sample(97), instance(1, "3g.20gb", pod="a"), instance(2, "4g.20gb"))
    assert sum(seconds(events).values()) == 60


def test_a_gpu_with_four_slices() -> None:
    (event,) = read(instance(1, "1g.6gb", model="NVIDIA A30"))
    assert event.usage == {"gpu_seconds": 15}


@pytest.mark.parametrize("profile", ["", "large", "8g.80gb", "0g.5gb"])
def test_a_profile_that_says_no_part_is_refused(profile: str) -> None:
    body = instance(1, profile).encode()
    (item,) = [item for item in read_gpus(body, head()) if item is not None]
    assert isinstance(item.event, Invalid)
    assert (item.event.code, item.event.path) == ("wrong_type", "$.metric.GPU_I_PROFILE")


def test_pods_that_take_turns_share_the_interval() -> None:
    shared = [sample(80, pod=f"p{n}", namespace="ml", vgpu=str(n)) for n in range(3)]
    events = read(*shared, sample(80, pod="", vgpu="3"))
    assert sorted((event.tags["pod"], event.usage["gpu_seconds"]) for event in events) == [
        ("p0", 20), ("p1", 20), ("p2", 20),
    ]  # fmt: skip
    assert len({event.id for event in events}) == 3
    # One pod more within the interval: still one device's interval.
    later = {**seconds(events), **seconds(read(*shared, sample(80, pod="p9", namespace="ml")))}
    assert sum(later.values()) == 60
    # One pod only keeps the identity that the idle device had.
    assert read(sample(0))[0].id == read(sample(80, pod="p0"))[0].id == min(seconds(events))


def test_two_metrics_of_one_gpu_are_one_event() -> None:
    both = sample(43, pod="a"), sample(0.4271, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", pod="a")
    (event,) = read(*both)
    assert (event.usage, event.attributes) == ({"gpu_seconds": 60}, {"utilization": "0.43"})
    assert read(*reversed(both)) == [event]
    (alone,) = read(both[1])
    assert alone.attributes == {"utilization": "0.4271"}


def test_a_gpu_sampled_often_counts_once_with_the_mean_and_the_start_of_the_interval() -> None:
    # 2026-11-24T11:00:00Z, :15, :30, and the next minute; Prometheus writes milliseconds
    times = [1795518000000 + 15_000 * n for n in (0, 1, 2, 4)]
    events = read(*(sample(value, at=f" {at}") for value, at in zip((0, 50, 100, 7), times, strict=True)))
    assert [(f"{event.time:%H:%M:%S}", event.usage, event.attributes["utilization"]) for event in events] == [
        ("11:00:00", {"gpu_seconds": 60}, "0.5"), ("11:01:00", {"gpu_seconds": 60}, "0.07"),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [9223372036854775794.0, float("nan"), -1])
def test_what_dcgm_writes_for_unknown_is_no_utilization(value: float) -> None:
    (event,) = read(sample(value))
    assert event.attributes == {"allocation": "idle"}


def test_one_percent_is_not_all() -> None:
    (event,) = read(sample(1, pod="a"))
    assert event.attributes == {"utilization": "0.01"}
