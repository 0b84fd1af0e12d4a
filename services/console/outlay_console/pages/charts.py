"""A chart as its page carries it: a data block, which a script draws and a table repeats."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from outlay_console.adapters.forecasts import BucketForecast
from outlay_console.adapters.rollup_reader import CHART_VALUES, Series
from outlay_console.domain.chart_ranges import Bucket
from outlay_console.domain.queries import REST
from outlay_kit.time_ranges import TimeRange
from outlay_reports.incidents import Incident
from outlay_schemas.alerts import Alert
from outlay_schemas.dimensions import name_of

_FORMS: dict[Bucket, str] = {
    "minute": "%H:%M",
    "hour": "%a %d %b %H:%M",
    "day": "%a %d %b %Y",
    "month": "%b %Y",
}


def chart(
    series: Series, zone: ZoneInfo, alerts: Sequence[Alert] = (), ahead: BucketForecast | None = None
) -> dict[str, object]:
    """Return a chart of stacked bars, its marks, and what is expected next."""
    starts = [int(start.timestamp()) for start in series.starts]
    return {
        "bucket": series.bucket,
        "zone": zone.key,
        "starts": starts,
        "labels": [label(start, series.bucket, zone) for start in series.starts],
        "names": ["everything else" if name == REST else name_of(name) for name in series.names],
        "colours": _colours(series.names),
        "costs": series.costs,
        "marks": [
            {"at": int(_moment(alert).timestamp()), "title": alert.title, "severity": alert.severity}
            for alert in alerts
        ],
        "ahead": _ahead(ahead, series.bucket, zone) if ahead else None,
    }


def _ahead(ahead: BucketForecast, bucket: Bucket, zone: ZoneInfo) -> dict[str, object]:
    """Return a forecast as a script draws it and a table repeats it: for drawing only, so in cents."""
    return {
        "starts": [int(start.timestamp()) for start in ahead.starts],
        "labels": [label(start, bucket, zone) for start in ahead.starts],
        "mean": [round(value, 4) for value in ahead.mean],
        **{
            f"{name}{level}": [round(value, 4) for value in side[level]]
            for name, side in (("low", ahead.lower), ("high", ahead.upper))
            for level in (80, 95)
        },
    }


def _colours(names: Sequence[str]) -> list[int]:
    """Return the number of each name's colour: by the alphabet, so that a change of rank changes no colour."""
    order = sorted(name for name in names if name != REST)
    return [CHART_VALUES if name == REST else order.index(name) for name in names]


def label(start: datetime, bucket: Bucket, zone: ZoneInfo) -> str:
    """Name a bucket."""
    return start.astimezone(zone).strftime(_FORMS[bucket])


def marked(incidents: Sequence[Incident], span: TimeRange) -> list[Alert]:
    """Return the worst alert of each incident that a chart of `span` shows."""
    return [one.main for one in incidents if span.start <= _moment(one.main) < span.end]


def _moment(alert: Alert) -> datetime:
    """Return where on a chart an alert belongs: at its window; a budget's at the moment it was crossed."""
    return alert.at if alert.rule_type == "budget" else alert.window
