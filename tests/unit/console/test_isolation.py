"""Whose costs are shown is decided by the session, and by nothing that a request can say."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from outlay_console.adapters.readers import Readers, TenantReader
from outlay_console.domain import queries, saved
from outlay_console.domain.view import View, starts_of
from outlay_console.sessions import Sessions, read_secret
from outlay_console.web import safe_path, same_origin
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.settings import ClickHouseSettings
from outlay_reports.range_sums import Query, Selection, sums
from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import Currency

NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)
VIEW = View(filters={"team": ("x' OR 1=1 --",)})
SPAN = View("30d", zone=VIEW.zone).span(NOW)
GROUPED = View(by="tags.env", then=("team",), filters={"sku!~": ("gpt",)})
RATES = [
    {"currency": "EUR", "usd": "1.1", "from": "2026-11-01", "to": SPAN.start + timedelta(hours=9)},
    {"currency": "EUR", "usd": "1.2", "from": SPAN.start + timedelta(hours=9)},
]
EUROS = replace(VIEW, currency=Currency("EUR", list(map(FxRate.model_validate, RATES))))
QUESTIONS = {
    "totals": sums([Selection(SPAN, VIEW.filters), Selection(SPAN.before)], measures=queries.TOTAL),
    "breakdown": queries.breakdown(VIEW, (SPAN, SPAN.before), 10),
    "movers": queries.breakdown(VIEW, (SPAN, SPAN.before), 5, ("team", "sku")),
    "groups": queries.breakdown(GROUPED, (SPAN, SPAN.before), 10),
    "euros": queries.breakdown(EUROS, (SPAN, SPAN.before), 10),
    "course": queries.series(View(then=("sku",)), SPAN, starts_of("day", SPAN, VIEW.zone), []),
    "series": queries.series(VIEW, SPAN, starts_of("day", SPAN, VIEW.zone), ["a"]),
    "events": queries.events(VIEW, SPAN, 5, [60]),
    "busy": queries.busy(VIEW, SPAN, "minute", 5),
    **{name: Query(getattr(queries, name)) for name in
       ("EVENT", "FREE_NAMES", "UNPRICED", "ALERTS", "INCIDENT", "ALERT_ACTIONS", "ALERT_MESSAGES", "OPPORTUNITIES",
        "CONFLICTS", "CLOCK_SKEW", "DEAD_LETTERS", "NEWEST", "WRITTEN")},
    **{name: Query(getattr(saved, name)) for name in ("SAVED_VIEWS", "NOTES", "NOTE")},
}  # fmt: skip


class Asked(Readers):
    """Notes what is asked, and asks no one."""

    def __init__(self) -> None:
        super().__init__(ClickHouseSettings(), 1, 1, ping_seconds=1)
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    async def run(self, sql: str, bound: Mapping[str, object]) -> list[dict[str, Any]]:
        self.asked.append((sql, bound))
        return []


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_table_of_every_question_is_read_for_one_tenant(name: str) -> None:
    question = QUESTIONS[name]
    # Dismissals are of opportunities, by their ids: it is those that are of a tenant.
    tables = len(re.findall(r"FROM (?!\(|dismissals)\w+", question.sql))
    assert question.sql.count("tenant = {tenant:String}") == tables > 0
    assert "OR 1=1" not in question.sql
    asked = Asked()
    await TenantReader(asked, "acme").rows(question)
    assert asked.asked[0][1]["tenant"] == "acme"


@pytest.mark.parametrize(
    "question",
    [
        Query("SELECT sum(cost) FROM costs_daily"),
        Query("SELECT 1 FROM costs WHERE tenant = 'globex' AND {tenant:String} != ''"),
        Query("SELECT 1 FROM costs WHERE tenant = {tenant:String}", {"tenant": "globex"}),
        Query("SELECT 1 FROM costs WHERE tenant = {tenant:String} UNION ALL SELECT 2 FROM costs_daily"),
    ],
)
async def test_a_question_that_leaves_the_tenant_open_is_not_asked(question: Query) -> None:
    asked = Asked()
    with pytest.raises(ValueError, match="tenant"):
        await TenantReader(asked, "acme").rows(question)
    assert not asked.asked


async def test_only_what_is_about_no_tenant_is_asked_without_one() -> None:
    asked = Asked()
    for sql in queries.SHARED:
        assert re.findall(r"FROM (\w+)", sql) == ["catalogs"]
        await asked.shared(sql)
    with pytest.raises(ValueError, match="tenant"):
        await asked.shared("SELECT sum(cost) FROM costs")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_cookie_is_of_a_key_that_may_read(keys: Path) -> None:
    file = KeyFile(keys)
    reader, sender = file.create("acme", ("read",), NOW), file.create("acme", ("ingest",), NOW)
    ring = KeyRing(keys, FakeClock(NOW))
    sessions = Sessions(ring, b"secret", hours=1)
    cookie = sessions.open(reader, NOW)
    assert cookie is not None
    session = sessions.read(cookie, NOW)
    assert session is not None
    assert session.tenant == "acme"
    assert sessions.open(sender, NOW) is None
    assert sessions.open(reader[:-1] + "_", NOW) is None


def test_a_cookie_ends_with_time_with_its_key_and_when_it_is_touched(keys: Path) -> None:
    file = KeyFile(keys)
    key = file.create("acme", ("read",), NOW)
    ring = KeyRing(keys, FakeClock(NOW))
    sessions = Sessions(ring, b"secret", hours=1)
    cookie = sessions.open(key, NOW)
    assert cookie is not None
    assert sessions.read(cookie, NOW + timedelta(hours=1)) is None
    assert sessions.read("00" + cookie[2:], NOW) is None
    body, _, signature = cookie.rpartition(".")
    assert sessions.read(f"{body}.{signature[::-1]}", NOW) is None
    assert sessions.read(body, NOW) is None
    assert sessions.read("", NOW) is None
    assert Sessions(ring, b"another", hours=1).read(cookie, NOW) is None
    file.revoke(key.split("_")[2], NOW)
    ring.refresh()
    assert sessions.read(cookie, NOW) is None


def test_the_secret_outlives_a_restart_and_belongs_to_no_one_else(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert read_secret(path) == read_secret(path)
    assert path.stat().st_mode & 0o077 == 0
    assert read_secret(None) != read_secret(None)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"sec-fetch-site": "same-origin", "host": "a"}, True),
        ({"sec-fetch-site": "same-origin", "host": "a", "origin": "http://a"}, True),
        ({"host": "a", "origin": "http://a"}, True),
        ({"sec-fetch-site": "cross-site", "host": "a", "origin": "http://a"}, False),
        ({"sec-fetch-site": "same-site", "host": "a", "origin": "http://b.a"}, False),
        ({"host": "a", "origin": "http://evil"}, False),
        ({"host": "a", "origin": "null"}, False),
        ({"host": "a"}, False),
    ],
)
def test_only_our_own_pages_may_post(headers: dict[str, str], taken: bool) -> None:
    assert same_origin(Headers(headers)) is taken


@pytest.mark.parametrize(
    "text", ["//evil", "/\\evil", "https://evil/", "evil", "javascript:alert(1)", "/\r\nx", "/login"]
)
def test_after_the_login_one_stays_here(text: str) -> None:
    assert safe_path(text) == "/"
    assert safe_path("/explore?by=sku&team=a") == "/explore?by=sku&team=a"
