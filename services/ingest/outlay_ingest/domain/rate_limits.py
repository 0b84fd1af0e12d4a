"""How much a key may send: one bucket of requests and one of events, each refilled evenly over a minute."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    """Tokens of a minute. It may fall below 0: a batch is taken whole, and paid for by waiting."""

    limit: int
    left: float
    at: float

    def refill(self, now: float) -> None:
        self.left = min(self.limit, self.left + (now - self.at) * self.limit / _MINUTE)
        self.at = now

    def wait(self) -> float:
        """Seconds until there is a token again."""
        return 0.0 if self.left >= 1 else (1 - self.left) * _MINUTE / self.limit

    def reset(self) -> float:
        """Seconds until the bucket is full."""
        return (self.limit - self.left) * _MINUTE / self.limit


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """How a key stands in the bucket that is nearest to empty."""

    limit: int
    remaining: int
    reset: int
    """Seconds until all of it is there again."""
    wait: float
    """Seconds to wait before the next request; 0: go on."""
    policy: str
    """All limits of the key: how many, and the seconds of the window."""

    def headers(self) -> dict[str, str]:
        """Return the RateLimit fields of the IETF's httpapi drafts."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
            "RateLimit-Policy": self.policy,
        }


class RateLimiter:
    """The buckets of all keys of this process. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, int], _Bucket] = {}

    def admit(self, key: str, requests: int, events: int, now: float) -> LimitStatus | None:
        """Count a request and say how the key stands; None where it has no limit. A refused request is not counted."""
        buckets = self._of(key, requests, events, now)
        wait = max((bucket.wait() for bucket in buckets), default=0.0)
        if requests and not wait:
            buckets[0].left -= 1
        return _standing(buckets, wait)

    def charge(self, key: str, requests: int, events: int, taken: int, now: float) -> LimitStatus | None:
        """Count the events of a request, and say how the key stands then."""
        buckets = self._of(key, requests, events, now)
        if events:
            buckets[-1].left -= taken
        return _standing(buckets, 0.0)

    def _of(self, key: str, requests: int, events: int, now: float) -> list[_Bucket]:
        """Return the buckets of a key, refilled: of requests, of events. Where a limit changed, it is a full one."""
        found = []
        for kind, limit in (("requests", requests), ("events", events)):
            if limit:
                bucket = self._buckets.setdefault((key, kind, limit), _Bucket(limit, float(limit), now))
                bucket.refill(now)
                found.append(bucket)
        return found


def _standing(buckets: list[_Bucket], wait: float) -> LimitStatus | None:
    if not buckets:
        return None
    nearest = min(buckets, key=lambda bucket: bucket.left / bucket.limit)
    remaining = max(0, math.floor(nearest.left))
    policy = ", ".join(f"{bucket.limit};w=60" for bucket in buckets)
    return LimitStatus(nearest.limit, remaining, math.ceil(nearest.reset()), wait, policy)


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
    """Say how a key stands in its quota nearest to the end, if any: events of a day, a month; limit 0: none."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = today.replace(day=1)
    windows = (today, today + timedelta(days=1)), (month, (month + timedelta(days=32)).replace(day=1))
    found = []
    for limit, taken, (begin, end) in zip(limits, used, windows, strict=True):
        if limit:
            left = int((end - now).total_seconds()) + 1
            wait = float(left) if taken >= limit else 0.0
            policy = f"{limit};w={round((end - begin).total_seconds())}"
            found.append(LimitStatus(limit, max(0, limit - taken), left, wait, policy))
    return nearest(found)


def nearest(found: list[LimitStatus]) -> LimitStatus | None:
    """Return the standing that lets the key wait longest, else that with the smallest share left."""
    if not found:
        return None
    one = min(found, key=lambda s: (-s.wait, s.remaining / s.limit))
    return replace(one, policy=", ".join(each.policy for each in found))
