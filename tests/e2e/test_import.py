"""`outlay import focus` on a running system: parts are one bill, and a line that left the bill leaves the ledger."""

import gzip
import time
from pathlib import Path

import pytest
from tests.support.bills import LINE, bill
from tests.support.system import Cli

pytestmark = pytest.mark.stack

_LINES = (
    "SELECT toString(toDecimal64(sum(cost), 2)) AS usd, countIf(cost != 0) AS lines FROM costs"
    " WHERE attributes['billing_account'] = 'e2e-import'"
)


def _wait_for(cli: Cli, usd: str, lines: int) -> None:
    deadline = time.monotonic() + 30
    while (found := cli.json("query", _LINES)) != [{"usd": usd, "lines": lines}]:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_parts_are_one_bill_and_a_restated_bill_replaces_it(cli: Cli, tmp_path: Path) -> None:
    rows = [{**LINE, "BillingAccountId": "e2e-import", "ResourceId": f"i-{n}"} for n in range(5)]
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "part-0.csv").write_bytes(bill(rows[:2]))
    (parts / "part-1.csv.gz").write_bytes(gzip.compress(bill(rows[2:])))
    first = cli.json("import", "focus", str(parts))
    assert (first["sent"], first["accepted"], first["reported"], first["removed"]) == (5, 5, "5", 0)
    _wait_for(cli, "5", 5)

    restated = tmp_path / "restated.csv"
    restated.write_bytes(bill(rows[:4]))
    part = cli.json("import", "focus", str(restated), "--part")
    assert part["removed"] == 0
    _wait_for(cli, "5", 5)
    again = cli.json("import", "focus", str(restated))
    assert (again["sent"], again["removed"], again["removed_cost"]) == (5, 1, "1")
    _wait_for(cli, "4", 4)
