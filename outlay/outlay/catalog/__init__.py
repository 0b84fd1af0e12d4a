"""The catalog as people write it: YAML in a folder, read into one `Catalog`."""

from outlay.catalog.files import CatalogError, Problem
from outlay.catalog.load import check, load, load_default

__all__ = ["CatalogError", "Problem", "check", "load", "load_default"]
