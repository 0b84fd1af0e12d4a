"""How versions are found and split; what they do to data is tested on the engine."""

from outlay_kit.migrator import migrations, statements


def test_versions_are_numbered_once_and_in_order() -> None:
    numbers = [number for number, _, _ in migrations()]
    assert numbers[:3] == [1, 2, 10]
    assert numbers == sorted(set(numbers))


def test_a_file_is_split_at_the_semicolons_that_end_a_line() -> None:
    sql = "-- why; really\nCREATE TABLE a (b String DEFAULT 'x;y');\n\n  -- next\nSELECT 1;\n"
    assert statements(sql) == ["CREATE TABLE a (b String DEFAULT 'x;y')", "SELECT 1"]
    assert statements("-- nothing\n") == []


def test_every_statement_can_be_applied_twice() -> None:
    safe = (
        "CREATE TABLE IF NOT EXISTS",
        "CREATE OR REPLACE VIEW",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS",
        "ALTER TABLE",
        "INSERT INTO",
        "DROP TABLE IF EXISTS",
        "RENAME TABLE IF EXISTS",
    )
    for _, name, sql in migrations():
        for statement in statements(sql):
            assert statement.startswith(safe), f"{name}: {statement[:60]}"
            if statement.startswith("ALTER"):
                twice = ("IF NOT EXISTS", "MODIFY", "COMMENT COLUMN", "UPDATE")
                assert any(words in statement for words in twice), f"{name}: {statement[:60]}"
