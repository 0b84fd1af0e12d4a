"""Reads from the rollups what thresholds, new spenders and silences ask for, and lets the domain decide."""

from collections.abc import Mapping
from datetime import timedelta

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.domain import comings, metrics
from outlay_alerter.domain.states import Finding, Known, Open, open_of
from outlay_alerter.domain.watches import NewSpender, PriceChange, Silence, Threshold, Watch
from outlay_kit.clock import Clock
from outlay_kit.spans import Span, floor_to, grain_length

_MONTH = timedelta(days=30)
_SETTLE = timedelta(minutes=2)
"""How long late events are waited for before a window is over."""

Found = list[tuple[Finding, Span]]


class Rules:
    """Findings of the rules that need no memory."""

    def __init__(self, measures: Measures, clock: Clock) -> None:
        self._measures, self._clock = measures, clock

    def find(self, rule: Watch, known: Mapping[str, Known]) -> Found:
        """Evaluate one rule as of now. Raises Retryable."""
        opened = open_of(rule.id, known)
        if isinstance(rule, Threshold):
            return self._threshold(rule, opened)
        if isinstance(rule, NewSpender):
            return self._newcomers(rule)
        if isinstance(rule, PriceChange):
            return self._changes(rule)
        return self._silences(rule, opened) if isinstance(rule, Silence) else []

    def _changes(self, rule: PriceChange) -> Found:
        now = self._clock.now()
        found = (comings.ahead(rule, one, now) for one in self._measures.announced(rule.tenant, now))
        return [(finding, Span(now - _MONTH, now)) for finding in found if finding]

    def _threshold(self, rule: Threshold, opened: Open) -> Found:
        length = grain_length(rule.grain)
        newest = floor_to(self._clock.now(), rule.grain)
        rows = self._measures.windows(
            rule.tenant, rule.grain, newest, metrics.LOOK_BACK,
            by=rule.by, scope=rule.scope, meters=metrics.meters_of(rule),
        )  # fmt: skip
        found: Found = []
        for values, series in rows.items():
            scope = rule.scope_of(values)
            since = {
                level: at
                for level in ("above", "below")
                if (at := opened.since(rule.tenant, rule.id, scope, level))
            }
            findings = metrics.findings(
                rule, scope, series, newest=newest, final_before=self._clock.now() - _SETTLE, open_since=since
            )
            for finding in findings:
                found.append((finding, Span(newest - length, newest + length)))
        return found

    def _newcomers(self, rule: NewSpender) -> Found:
        now = self._clock.now()
        begin = floor_to(now, "day") - timedelta(days=rule.days)
        rows, oldest = self._measures.firsts(rule.tenant, begin, by=rule.by, scope=rule.scope)
        found: Found = []
        for values, (first, cost) in rows.items():
            if oldest is None or first - oldest < timedelta(days=1):
                continue  # everybody is new where nothing was before
            scope = rule.scope_of(values)
            finding = comings.newcomer(rule, scope, first=first, cost=cost, now=now)
            if finding:
                found.append((finding, Span(first, first + comings.FRESH)))
        return found

    def _silences(self, rule: Silence, opened: Open) -> Found:
        now = self._clock.now()
        found: Found = []
        lasts = self._measures.lasts(rule.tenant, now - rule.forget, by=rule.by, scope=rule.scope)
        for values, last in lasts.items():
            scope = rule.scope_of(values)
            at = opened.since(rule.tenant, rule.id, scope, "silent")
            since = {"silent": at} if at else {}
            finding = comings.silence(rule, scope, last=last, now=now, open_since=since)
            if finding:
                found.append((finding, Span(last, last + timedelta(minutes=1))))
        return found
