"""The console with the pages of set-up. Run as `python -m outlay.setup`; the environment is the console's."""

from functools import partial

from outlay_console.app import Extension
from outlay_console.main import main
from outlay_console.pages.request import Dependencies


def extend(deps: Dependencies) -> Extension:
    """Wire the pages of set-up and the price list."""
    # Imported here, so that a fault there leaves the other pages of the console.
    from outlay.setup.desk import Desk
    from outlay.setup.price_list import CatalogPrices
    from outlay.setup.routes import more
    from outlay_kit.revocations import publish_end

    kafka = deps.settings.kafka
    desk = Desk(kafka, deps.settings.clickhouse, deps.clock).start()
    return Extension(more(deps, desk, partial(publish_end, kafka)), CatalogPrices(desk.known, desk.revision))


if __name__ == "__main__":
    main(extend)
