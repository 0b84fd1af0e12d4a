"""The parts of the system that surfaces are asked over, with a data set in a database of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.support.consistency.data import BUDGETS, FX, NOW, TENANT, Used, catalog, priced, used
from tests.support.consistency.surfaces import System
from tests.support.console_rig import dependencies, make
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.catalog.publish import publish
from outlay_console.adapters.catalog import CatalogView
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile
from outlay_pricer.opportunities.search import OpportunityScanner


def made(
    stack: Stack, folder: Path, database: str, *, cells: int, calls: Sequence[Used] | None = None
) -> Iterator[System]:
    """Yield the surfaces over calls in a database of their own; by default those that tests of consistency share."""
    make(stack, folder, database=database, now=NOW)
    settings = stack.writer.model_copy(update={"database": database})
    content = catalog()
    write(settings, priced(used() if calls is None else calls, content), cells)
    publish(stack.kafka, content, FakeClock(NOW))
    clickhouse = ClickHouseClient(settings)
    OpportunityScanner(clickhouse, FakeClock(NOW), every=900, most=100_000).turn(content)
    shown = CatalogView(1, NOW, "", None, (), BUDGETS, fx=FX)
    key = KeyFile(folder / "keys.json").create(TENANT, ("read", "admin"), NOW)
    asked = replace(dependencies(stack, settings, folder), catalog=lambda: shown)
    environment = {**stack.environment, "OUTLAY_CLICKHOUSE_DATABASE": database, "OUTLAY_TENANT": TENANT}
    yield System(asked, clickhouse, content, folder / "keys.json", key, environment)
    clickhouse.close()
