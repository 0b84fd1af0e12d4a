"""Audit, replay and rebuild by the command line, while the system runs."""

import pytest
from tests.support.system import Cli
from tests.support.usage import usage
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, deliver
from outlay_schemas.topics import USAGE_EVENTS, Topic

pytestmark = pytest.mark.stack


def put(cli: Cli, *lines: str, topic: Topic = USAGE_EVENTS, codec: str | None = "lz4") -> None:
    """Put lines on Kafka directly, without ingest."""
    sink = KafkaSink(cli.state().kafka_settings(), compression_type=codec)
    deliver(sink, topic.name, ["\n".join(lines).encode()])
    sink.close()


def of(found: dict[str, object], tenant: str) -> dict[str, int]:
    return next(b for b in found["accepted_events"]["tenants"] if b["tenant"] == tenant)  # type: ignore[index]


def test_everything_accepted_is_somewhere_and_conflicts_are_reported(cli: Cli) -> None:
    first, second = usage("same", "audited"), usage("same", "audited", usage={"input_tokens": 7})
    moved = usage("moved", "audited"), usage("moved", "audited", time="2026-11-20T00:00:00Z")
    put(
        cli,
        *(usage(str(n), "audited") for n in range(50)),
        usage("0", "audited", usage={"input_tokens": 1000}),
    )
    put(cli, first, second, *moved, usage("bad", "audited", usage={"input_tokens": -1}))
    found = cli.json("audit")
    assert found["balanced"] is True
    balance = of(found, "audited")
    assert (balance["ledger"], balance["dead"], balance["missing"], balance["in_flight"]) == (55, 1, 0, 0)
    kinds = {c["id"]: c["kind"] for c in found["conflicts"] if c["tenant"] == "audited"}
    assert kinds["same"] == "another body"
    assert kinds["moved"] == "another time"


def test_a_record_in_any_codec_is_priced_and_audited(cli: Cli) -> None:
    codecs = (None, "gzip", "snappy", "lz4", "zstd")
    for codec in codecs:
        put(cli, usage(f"in-{codec}", "codecs"), codec=codec)
    balance = of(cli.json("audit"), "codecs")
    assert (balance["ledger"], balance["missing"], balance["in_flight"]) == (len(codecs), 0, 0)


def test_p9_replay_of_dead_letters_restores_the_sum(cli: Cli) -> None:
    put(cli, *(usage(str(n), "fixed", usage={"input_tokens": -1000 if n else 1000}) for n in range(5)))

    def cost() -> str:
        [row] = cli.json("query", "SELECT toString(sum(cost)) AS s FROM costs_daily WHERE tenant = 'fixed'")
        return str(row["s"])

    until(lambda: cost() == "0.003", what="the good one")
    chosen = ("dead-letters", "replay", "--tenant", "fixed", "--set", "usage.input_tokens=1000")
    until(lambda: cli.json(*chosen, "--dry-run")["found"] == 4, what="the dead letters")
    assert cli.json(*chosen)["sent"] == 4
    assert cli.json(*chosen)["found"] == 0
    until(lambda: cost() == "0.015", what="the fixed events")
    assert "replayed" in cli("dead-letters", "show", "--tenant", "fixed")
    assert cli.json("audit", "--tenant", "fixed")["balanced"] is True


def test_p18_a_replay_of_an_old_body_loses_to_a_correction_accepted_since(cli: Cli) -> None:
    put(cli, *(usage(name, "late", usage={"input_tokens": -1}) for name in ("corrected", "left")))
    chosen = ("dead-letters", "replay", "--tenant", "late", "--set", "usage.input_tokens=9000")
    until(lambda: cli.json(*chosen, "--dry-run")["found"] == 2, what="the dead letters")
    put(cli, usage("corrected", "late"))

    def tokens() -> dict[str, str]:
        sql = "SELECT id, toString(usage['input_tokens']) AS n FROM costs WHERE tenant = 'late'"
        return {str(row["id"]): str(row["n"]) for row in cli.json("query", sql)}

    until(lambda: tokens() == {"corrected": "1000"}, what="the correction")
    assert cli.json(*chosen)["sent"] == 2
    until(lambda: "left" in tokens(), what="the replay")
    assert tokens() == {"corrected": "1000", "left": "9000"}
    assert cli.json("audit", "--tenant", "late")["balanced"] is True


def test_a_rollup_that_was_spoilt_is_found_and_rebuilt_while_events_come_in(cli: Cli) -> None:
    from outlay_kit.clickhouse import ClickHouseClient

    put(cli, *(usage(str(n), "spoilt") for n in range(10)))
    written = "SELECT count() AS n FROM costs WHERE tenant = 'spoilt'"
    until(lambda: cli.json("query", written) == [{"n": 10}], what="the events")
    assert cli.json("audit", "--tenant", "spoilt", "--no-kafka")["balanced"] is True
    clickhouse = ClickHouseClient(cli.state().clickhouse_settings(write=True))
    clickhouse.command(
        "INSERT INTO rollup_hour (tenant, window, version, groups) SELECT tenant, window, version + 1, []"
        " FROM rollup_hour FINAL WHERE tenant = 'spoilt'"
    )
    clickhouse.close()
    output = cli("audit", "--tenant", "spoilt", "--no-kafka", "--patience", "1", status=1)
    assert "does not balance" in output
    put(cli, *(usage(f"more{n}", "spoilt") for n in range(10)))
    assert [row["wrong"] for row in cli.json("rebuild", "--tenant", "spoilt")][1] >= 0
    assert cli.json("audit", "--tenant", "spoilt")["balanced"] is True


def test_windows_say_how_far_they_are_complete(cli: Cli) -> None:
    put(cli, usage("old", "complete", time="2026-11-20T00:00:00Z"), usage("new", "complete"))

    def rows() -> list[dict[str, object]]:
        sql = (
            "SELECT is_final, final_as_of > now() - 20 AS fresh FROM costs_daily"
            " WHERE tenant = 'complete' ORDER BY time"
        )
        found: list[dict[str, object]] = cli.json("query", sql)
        return found

    until(
        lambda: rows() == [{"is_final": True, "fresh": 1}, {"is_final": False, "fresh": 1}],
        what="the watermark",
    )
