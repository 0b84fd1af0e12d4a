"""What an event costs and whose it is: pure functions of the event and the catalog."""

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price

__all__ = ["CompiledCatalog", "price"]
