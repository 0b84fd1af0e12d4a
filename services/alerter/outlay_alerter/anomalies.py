"""Feeds the detectors of anomaly rules from the rollups: from history at first, then window by window."""

from collections.abc import Mapping
from datetime import UTC, datetime

from outlay_alerter.adapters.sums import Sums
from outlay_alerter.domain import unusual
from outlay_alerter.domain.episodes import LOOK_BACK
from outlay_alerter.domain.states import Finding, Key, Known, open_of
from outlay_alerter.domain.watches import Anomaly, matches
from outlay_kit.spans import Span, floor_to, grain_length
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)

Series = dict[tuple[str, ...], dict[datetime, int]]


class Anomalies:
    """The detectors of all anomaly rules. They are made anew at a start, from the same history."""

    def __init__(self, sums: Sums, most: int) -> None:
        """`most`: scopes that one rule of one tenant watches, those that cost most."""
        self._sums, self._most = sums, most
        self._watched: dict[tuple[str, str], dict[tuple[str, ...], unusual.Watched]] = {}
        self._taught: dict[tuple[str, str], tuple[Anomaly, frozenset[str]]] = {}
        """Each rule, and its alerts that somebody expected: of others, detectors learn something else."""

    def forget(self) -> None:
        """Begin anew: what was found could not be written down."""
        self._watched.clear()

    def find(self, rule: Anomaly, known: Mapping[str, Known]) -> list[tuple[Finding, Span]]:
        """Feed what is new to the detectors of a rule; return what they found. Raises Retryable."""
        newest = self._sums.newest(rule.tenant)
        if newest is None:
            return []
        current, length = floor_to(newest, rule.grain), grain_length(rule.grain)
        end = unusual.final_before(rule, newest)
        key = (rule.tenant, rule.id)
        meant = frozenset(k.id for k in known.values() if k.expected and k.rule == rule.id)
        if (rule, meant) != self._taught.get(key, (rule, frozenset())):
            self._watched.pop(key, None)
        self._taught[key] = (rule, meant)
        watched = self._watched.setdefault(key, {})
        begin = min(
            (w.next for w in watched.values()), default=current - length * unusual.HISTORY[rule.grain]
        )
        series = self._series(rule, begin, current)
        self._admit(rule, watched, series, begin, known)
        speak_from = current - length * LOOK_BACK
        found: list[tuple[Finding, Span]] = []
        for values, one in watched.items():
            costs = series.get(values, {})
            findings = unusual.feed(rule, one, costs, end, speak_from)
            findings += unusual.peek(rule, one, current, costs.get(current, 0))
            span = Span(one.next - length if not costs.get(current) else current, current + length)
            found += [(finding, span) for finding in findings]
        return found

    def _series(self, rule: Anomaly, begin: datetime, current: datetime) -> Series:
        length = grain_length(rule.grain)
        count = max(1, int((current - begin) / length) + 1)
        names = sorted({*rule.scope, *rule.by})
        series: Series = {}
        first = current - length * (count - 1)
        for place, cell, cost in self._sums.series(rule.tenant, rule.grain, current, count, names):
            if matches(rule.scope, cell):
                line = series.setdefault(tuple(cell[name] for name in rule.by), {})
                at = first + length * place
                line[at] = line.get(at, 0) + cost
        return series

    def _admit(
        self,
        rule: Anomaly,
        watched: dict[tuple[str, ...], unusual.Watched],
        series: Series,
        begin: datetime,
        known: Mapping[str, Known],
    ) -> None:
        """Begin to watch the scopes that are new."""
        fresh = {values: costs for values, costs in series.items() if values not in watched}
        if not fresh:
            return
        room = self._most - len(watched)
        if len(fresh) > room:
            log.warning(
                "too many scopes; the smallest are not watched", rule=rule.id, scopes=len(fresh), room=room
            )
        opened, meant = open_of(rule.id, known), _meant(rule, known)
        for values in unusual.largest(fresh, room):
            scope = rule.scope_of(values)
            line = Key(rule.tenant, rule.id, scope, begin, unusual.LEVEL).line()
            first = max(begin, min(fresh[values]))  # before its first cost there was no such scope
            watched[values] = unusual.watch(
                rule,
                scope,
                first,
                opened.since(rule.tenant, rule.id, scope, unusual.LEVEL),
                meant.get(line, ()),
            )


def _meant(rule: Anomaly, known: Mapping[str, Known]) -> dict[str, list[Span]]:
    """Return the times that somebody said are as they should be, by what the alerts of a scope have in common."""
    found: dict[str, list[Span]] = {}
    for one in known.values():
        if one.expected and one.rule == rule.id:
            end = one.told_at if one.state == "resolved" else datetime.max.replace(tzinfo=UTC)
            found.setdefault(one.line, []).append(Span(one.window, end))
    return found
