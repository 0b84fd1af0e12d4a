"""What an event costs and whose it is: pure functions of the event and the catalog."""

from outlay_pricer.domain.first import CompiledCatalog, price

__all__ = ["CompiledCatalog", "price"]
