"""What an alert says and where its links lead, the same in every channel and the console."""

from datetime import timedelta

import pytest
from tests.support.alerts import AT, alert

from outlay_reports.alert_text import incident_text
from outlay_reports.explore_links import alert_link, explore_path

CONSOLE = "https://outlay.example"


def test_a_budgets_link_opens_its_period_up_to_now() -> None:
    found = alert(link=alert_link(CONSOLE, "a1"), window_end=AT + timedelta(minutes=1))
    assert incident_text([found]).links == (
        ("Open in Outlay", "https://outlay.example/alerts/a1"),
        (
            "View these costs",
            "https://outlay.example/explore?from=2026-11-01T12%3A00Z&to=2026-11-24T12%3A01Z&tz=UTC&by=sku&currency=USD&team=growth",
        ),
    )


def test_a_spikes_link_opens_its_minutes_and_its_scope() -> None:
    begun, scope = AT - timedelta(minutes=4), {"project": "ci", "sku": "gpt-5"}
    found = alert(rule_type="spend_spike", scope=scope, window=begun, window_end=AT)
    path = "/explore?from=2026-11-24T11%3A56Z&to=2026-11-24T12%3A00Z&tz=UTC&by=user&currency=USD&project=ci&sku=gpt-5"
    assert explore_path(found) == path
    assert explore_path(found, user="u-17") == path + "&user=u-17"
    assert incident_text([found]).links == (), "no address of the console, no links"


def test_a_link_that_cannot_filter_as_the_alert_does_is_left_out() -> None:
    found = alert(link=alert_link(CONSOLE, "a1"), scope={"id": "e1"})
    assert incident_text([found]).links == (("Open in Outlay", "https://outlay.example/alerts/a1"),)


def test_a_link_filters_by_a_tag() -> None:
    assert "&tags.env=prod" in explore_path(alert(scope={"tags.env": "prod"}))


@pytest.mark.parametrize(
    ("fact", "label"),
    [
        ("2026-11-24 11:58 UTC", "Ran out"),
        ("2026-11-24, between 2026-11-24 and 2026-11-25 UTC", "Runs out"),
        ("2026-11-28, between 2026-11-27 and later UTC", "Runs out"),
    ],
)
def test_money_that_is_gone_ran_out(fact: str, label: str) -> None:
    assert incident_text([alert(facts={"gone_on": fact})]).facts == ((label, fact),)
