"""The console with the pages of set-up. Run as `python -m outlay.setup`; the environment is the console's."""

from starlette.routing import Route

from outlay_console.app import More, Shell
from outlay_console.main import main
from outlay_console.pages.request import Dependencies


def pages(deps: Dependencies) -> More:
    """Wire the pages of set-up."""
    # Imported here, so that a fault there leaves the other pages of the console.
    from outlay.setup.desk import Desk
    from outlay.setup.first_run import FirstRun
    from outlay.setup.guard import Audit, Guarded
    from outlay.setup.key_pages import KeyPages
    from outlay.setup.pages import CatalogPages

    settings, clock = deps.settings, deps.clock
    desk = Desk(settings.kafka, settings.clickhouse, clock).start()

    def routes(shell: Shell) -> list[Route]:
        guarded = Guarded(shell, settings.operator)
        return [
            *KeyPages(settings.keys_file, settings.kafka, clock).routes(guarded),
            *FirstRun(deps, desk).routes(guarded),
            *CatalogPages(desk, Audit(deps.actions.audit, clock), clock).routes(guarded),
        ]

    return routes


if __name__ == "__main__":
    main(pages)
