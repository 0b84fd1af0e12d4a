"""What is older than the ledger keeps can be neither recomputed nor priced again, and stays as it was."""

from datetime import UTC, datetime

import pytest
from tests.support.system import Cli

from outlay_kit.clickhouse import ClickHouseClient

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    "words",
    [
        ("rebuild", "--from", "2020-01-01"),
        ("audit", "--no-kafka", "--from", "2020-01-01T10:00:00Z"),
        ("reprice", "--since", "2020-01-01"),
    ],
    ids=lambda words: words[0],
)
def test_a_range_beyond_retention_is_refused_and_it_says_where_to_begin(
    cli: Cli, words: tuple[str, ...]
) -> None:
    output = cli(*words, status=1)
    assert "2020-01-01 is before" in output
    assert "OUTLAY_AGGREGATOR_RETENTION_DAYS" in output
    assert "begin at 20" in output


def test_days_that_outlived_their_events_survive_a_rebuild_and_balance(cli: Cli) -> None:
    """A day of before the ledger's memory has neither hours nor events left: it must not be taken for wrong."""
    clickhouse = ClickHouseClient(cli.state().clickhouse_settings(write=True))
    day = int(datetime(2021, 3, 1, tzinfo=UTC).timestamp())
    clickhouse.command(
        "INSERT INTO rollup_day (tenant, window, version, groups) SELECT 'elder', toDateTime({day:UInt32}, 'UTC'), 7,"
        " [('p', 't', '', '', 'openai', 'gpt-5', 'llm', 'inference', 'u', 12.5, 3, 0, map(), 0, 0, 0, 0)]",
        {"day": day},
    )
    assert cli.json("audit", "--no-kafka", "--tenant", "elder")["balanced"] is True
    cli("rebuild", "--tenant", "elder")
    [row] = clickhouse.rows("SELECT version FROM rollup_day FINAL WHERE tenant = 'elder'")
    assert row["version"] == 7
    clickhouse.close()
