"""One hostile tenant of each kind, and how fresh the figures of a good neighbour are beside it (P17)."""

import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.chaos.neighbours import KINDS, Hostile, Neighbour, p99
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Stores
from tests.support.promises import Tally

pytestmark = [pytest.mark.stack, pytest.mark.chaos, pytest.mark.timeout(900)]

NOISE_SECONDS = 2.0
"""What the slowest of 60 events may take beyond twice the time alone: a pause of the machine, not of the pipeline."""


def measure(
    pipeline: Pipeline, kind: str, head_start: float, *, to_the_end: bool = True
) -> tuple[Hostile, Neighbour, list[float], list[float]]:
    """Return how fresh the neighbour's figures were before the hostile tenant began, and meanwhile.

    The hostile tenant goes on until the neighbour's last event is seen (`to_the_end`), or until it is sent.
    """
    hostile = Hostile(pipeline, kind)
    with closing(Neighbour(pipeline)) as neighbour:
        pipeline.start()
        neighbour.freshness(8)  # the first ones wait for what starts
        before = neighbour.freshness(40)
        with hostile.sending():
            time.sleep(head_start)
            during = neighbour.freshness(60, 300, (lambda: None) if to_the_end else hostile.stop)
    return hostile, neighbour, before, during


def summary(kind: str, hostile: Hostile, before: list[float], during: list[float]) -> str:
    alone, beside = f"{p99(before):.1f}", f"{p99(during):.1f}"
    return f"{kind}, {hostile.turned_away} times 429; p99 alone {alone} s, beside it {beside} s"


@pytest.mark.parametrize("kind", KINDS)
def test_p17_a_hostile_tenant_does_not_delay_its_neighbour(
    stores: Stores, tmp_path: Path, tally: Tally, kind: str
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run")
    hostile, neighbour, before, during = measure(pipeline, kind, head_start=5)
    pipeline.settle(600)  # the neighbour's minutes were there, its hours and days follow
    wrong = pipeline.mismatches(neighbour.sent)
    tally("P17", summary(kind, hostile, before, during), hostile.accepted, 0, wrong)
    assert wrong == 0
    assert p99(during) < 2 * p99(before) + NOISE_SECONDS


def test_p17_negative_control_without_shares_the_neighbour_waits_for_the_backlog(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run")
    pipeline.ingest.env["OUTLAY_INGEST_FAIR_SECONDS"] = "0"
    hostile, _, before, during = measure(pipeline, "many", head_start=30, to_the_end=False)
    limit = 2 * p99(before) + NOISE_SECONDS
    late = sum(seconds > limit for seconds in during)
    tally.control("P17", summary("many, no shares", hostile, before, during), hostile.accepted, 0, late)
    assert late > 0
    pipeline.skip()
