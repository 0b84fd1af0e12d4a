"""No tenant's backlog takes the room of another (P17)."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ingest_rig import NDJSON, NOW, Rig, ndjson, usage

from outlay_ingest.domain.fair_share import LEAST_WINDOW, FairShare

MIB = 2**20


def test_without_a_bound_a_round_that_took_no_time_is_no_error() -> None:
    share = FairShare(0, NOW)
    share.count(NOW + timedelta(seconds=1), NOW + timedelta(seconds=1), NOW + timedelta(seconds=1))
    assert share.window >= LEAST_WINDOW


class Pipe:
    """Counts `rate` bytes a second, first in, first out; a round ends when what waited at its start is counted."""

    def __init__(self, rate: float, share: FairShare) -> None:
        self.rate, self.share, self.now = rate, share, NOW
        self.queue: list[tuple[str, float, datetime]] = []
        self.began, self.delays = NOW, dict[str, list[float]]()

    def send(self, tenant: str, size: int) -> bool:
        if not self.share.admits(tenant):
            return False
        self.share.take(tenant, size, self.now)
        self.queue.append((tenant, size, self.now))
        return True

    def step(self, seconds: float = 0.1) -> None:
        self.now += timedelta(seconds=seconds)
        room = self.rate * seconds
        while self.queue and room > 0:
            tenant, size, since = self.queue[0]
            if size > room:
                self.queue[0] = (tenant, size - room, since)
                room = 0
            else:
                room -= size
                self.delays.setdefault(tenant, []).append((self.now - since).total_seconds())
                self.queue.pop(0)
        if not self.queue or self.queue[0][2] >= self.began:
            self.share.count(self.began, self.now, self.now)
            self.began = self.now
        else:
            self.share.count(datetime.min.replace(tzinfo=NOW.tzinfo), NOW, self.now)


def worst_delay(rate: float, hostile: int, seconds: int = 120, fair: float = 2.5) -> float:
    """Return the longest delay of a good tenant's events beside hostile ones, after they have begun."""
    pipe = Pipe(rate, FairShare(fair, NOW))
    for _ in range(seconds * 10):
        for n in range(hostile):
            for _ in range(8):
                pipe.send(f"hostile-{n}", MIB)
        assert pipe.send("good", 300), "the good tenant was turned away"
        pipe.step()
    return max(pipe.delays["good"][200:])


@pytest.mark.parametrize("rate", [5 * MIB, 20 * MIB, 60 * MIB])
@pytest.mark.parametrize("hostile", [1, 3, 10])
def test_p17_hostile_tenants_delay_a_good_one_by_a_bounded_time(rate: float, hostile: int) -> None:
    assert worst_delay(rate, hostile) < 6


def test_p17_negative_control_without_a_window_the_backlog_delays_everyone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FairShare, "admits", lambda self, tenant: True)
    assert worst_delay(20 * MIB, 1) > 60


def test_a_tenant_that_is_alone_soon_gets_all_that_the_pipeline_can_do_and_shares_when_another_comes() -> (
    None
):
    pipe = Pipe(20 * MIB, FairShare(2.5, NOW))

    def sent(seconds: int) -> int:
        accepted = 0
        for _ in range(seconds * 10):
            for _ in range(8):
                accepted += pipe.send("greedy", MIB)
            pipe.step()
        return accepted // seconds

    sent(20)
    assert sent(30) >= 19, "MiB a second, of 20"
    for _ in range(300):
        sent(1)
        assert pipe.send("good", 300)
    assert max(pipe.delays["good"][60:]) < 5


def test_what_is_counted_in_time_is_never_turned_away() -> None:
    pipe = Pipe(60 * MIB, FairShare(2.5, NOW))
    turned_away = 0
    for n in range(1200):
        turned_away += not pipe.send("large", 3 * MIB)  # 30 MiB/s, half of what the pipeline can do
        pipe.send("small", 300)
        pipe.step()
        if n == 100:
            turned_away = 0  # it has begun
    assert turned_away == 0


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 4 * MIB)), max_size=60))
def test_a_tenant_with_nothing_waiting_is_admitted_whatever_the_others_hold(
    sent: list[tuple[str, int]],
) -> None:
    share = FairShare(4, NOW)
    for tenant, size in sent:
        if share.admits(tenant):
            share.take(tenant, size, NOW)
    assert share.admits("new")
    assert share.total <= LEAST_WINDOW + 5 * 4 * MIB
    share.count(NOW + timedelta(seconds=1), NOW + timedelta(seconds=1), NOW + timedelta(seconds=1))
    assert share.total == 0


def greedy(rig: Rig, number: int) -> bytes:
    return ndjson(*(usage(f"{number}-{n}", tags={"t": "x" * 200}) for n in range(20_000)))


async def test_a_tenant_with_too_much_waiting_is_asked_to_come_back_and_the_other_is_not(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    other = rig.make_key("other")
    rig.keys.refresh()
    answers = [(await rig.post(greedy(rig, n), NDJSON)) for n in range(4)]
    assert [answer.status_code for answer in answers] == [202, 429, 429, 429]
    assert answers[-1].json()["code"] == "backlog_full"
    assert answers[-1].headers["Retry-After"] == "1"
    assert (await rig.post(usage(), key=other)).status_code == 202
    rig.fairness._counted = NOW + timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert (await rig.post(usage("again"))).status_code == 202


async def test_a_tenant_that_is_alone_is_never_asked_to_come_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert {(await rig.post(greedy(rig, n), NDJSON)).status_code for n in range(4)} == {202}


async def test_while_nothing_moves_for_long_everyone_is_admitted(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.make_key("other")
    rig.keys.refresh()
    answers = [(await rig.post(greedy(rig, n), NDJSON)).status_code for n in range(3)]
    assert answers[-1] == 429
    rig.clock.sleep(46)
    assert (await rig.post(greedy(rig, 4), NDJSON)).status_code == 202


async def test_many_small_requests_weigh_more_than_their_bytes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    other = rig.make_key("other")
    rig.keys.refresh()
    answers = [(await rig.post(usage(str(n)))).status_code for n in range(600)]
    assert answers[:400] == [202] * 400
    assert answers[-1] == 429
    assert (await rig.post(usage(), key=other)).status_code == 202
