"""How many events a key may send a day and a month, by UTC's calendar."""

from datetime import UTC, datetime, timedelta

import msgspec

from outlay_ingest.domain.rate_limits import LimitStatus

_DAY = 86_400


class Counts(msgspec.Struct):
    """Events that were taken, by the id of the first key of a line of rotated ones: today's, and this month's."""

    day: str = ""
    month: str = ""
    keys: dict[str, tuple[int, int]] = {}

    def turn(self, now: datetime) -> None:
        """Forget what is over."""
        day, month = f"{now:%Y-%m-%d}", f"{now:%Y-%m}"
        if month != self.month:
            self.keys = {}
        elif day != self.day:
            self.keys = {key: (0, of_month) for key, (_, of_month) in self.keys.items()}
        self.day, self.month = day, month

    def add(self, key: str, events: int) -> None:
        """Count events."""
        of_day, of_month = self.keys.get(key, (0, 0))
        self.keys[key] = (of_day + events, of_month + events)


def standing(limits: tuple[int, int], used: tuple[int, int], now: datetime) -> LimitStatus | None:
    """Say how a key stands in the quota that is nearest to its end; None where it has none.

    `limits` and `used`: events of a day and of a month; a limit of 0 is none.
    """
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    length = round((first - datetime(now.year, now.month, 1, tzinfo=UTC)).total_seconds())
    found = [
        LimitStatus(limit, max(0, limit - taken), left, float(left) if taken >= limit else 0.0, f"{limit};w={window}")
        for limit, taken, window, left in (
            (limits[0], used[0], _DAY, _seconds(midnight - now)),
            (limits[1], used[1], length, _seconds(first - now)),
        )
        if limit
    ]  # fmt: skip
    return nearest(found)


def nearest(found: list[LimitStatus]) -> LimitStatus | None:
    """Return the standing that lets the key wait longest, else that with the smallest share left; all policies told."""
    if not found:
        return None
    one = min(found, key=lambda s: (-s.wait, s.remaining / s.limit))
    policy = ", ".join(each.policy for each in found)
    return LimitStatus(one.limit, one.remaining, one.reset, one.wait, policy)


def _seconds(left: timedelta) -> int:
    return int(left.total_seconds()) + 1
