"""What a statement of a migration is on a cluster. The engine checks the whole in test_migrations.py."""

import pytest

from outlay_kit.cluster_schema import clustered

KEEPER = "'/clickhouse/tables/{shard}/{database}/ledger_local', '{replica}'"
KEEPER_OF_ALL = "'/clickhouse/tables/all/{database}/alerts', '{shard}-{replica}'"
FRONT = (
    "CREATE OR REPLACE TABLE ledger ON CLUSTER 'c' AS ledger_local"
    " ENGINE = Distributed('c', currentDatabase(), 'ledger_local', cityHash64(tenant, toDate(time)))"
)


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        (
            "CREATE TABLE IF NOT EXISTS ledger (x Int32) ENGINE = ReplacingMergeTree(row_version) ORDER BY x",
            [
                (
                    "CREATE TABLE IF NOT EXISTS ledger_local ON CLUSTER 'c' (x Int32)"
                    f" ENGINE = ReplicatedReplacingMergeTree({KEEPER}, row_version) ORDER BY x"
                ),
                FRONT,
            ],
        ),
        (
            "CREATE TABLE IF NOT EXISTS alerts (x Int32) ENGINE = MergeTree ORDER BY x",
            [
                (
                    "CREATE TABLE IF NOT EXISTS alerts ON CLUSTER 'c' (x Int32)"
                    f" ENGINE = ReplicatedMergeTree({KEEPER_OF_ALL}) ORDER BY x"
                )
            ],
        ),
        (
            "ALTER TABLE ledger MODIFY COMMENT 'x'",
            ["ALTER TABLE ledger_local ON CLUSTER 'c' MODIFY COMMENT 'x'", FRONT],
        ),
        (
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO identities AS SELECT 1 FROM ledger",
            [
                (
                    "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'c'"
                    " TO identities_local AS SELECT 1 FROM ledger_local"
                )
            ],
        ),
        (  # rows of a table that is whole on every node are sharded when they are written
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO ledger AS SELECT 1 FROM ledger_input",
            [
                (
                    "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'c'"
                    " TO ledger AS SELECT 1 FROM ledger_input"
                )
            ],
        ),
        (
            "CREATE OR REPLACE VIEW costs AS SELECT 1 FROM ledger FINAL",
            ["CREATE OR REPLACE VIEW costs ON CLUSTER 'c' AS SELECT 1 FROM ledger FINAL"],
        ),
        ("RENAME TABLE IF EXISTS a TO b", ["RENAME TABLE IF EXISTS a TO b ON CLUSTER 'c'"]),
        ("DROP TABLE IF EXISTS a", ["DROP TABLE IF EXISTS a ON CLUSTER 'c' SYNC"]),
        ("INSERT INTO identities SELECT 1 FROM ledger", ["INSERT INTO identities SELECT 1 FROM ledger"]),
    ],
)
def test_each_kind_of_statement(statement: str, wanted: list[str]) -> None:
    assert clustered(statement, "c") == wanted
