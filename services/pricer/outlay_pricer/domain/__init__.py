"""What an event costs and whose it is: pure functions of the event and the catalog."""

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import cost_of, price, price_line

__all__ = ["CompiledCatalog", "cost_of", "price", "price_line"]
