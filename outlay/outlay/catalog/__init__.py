"""The catalog as people write it: YAML in a folder, read into one `Catalog`."""

from outlay.catalog.load import check, load, load_default
from outlay.catalog.yaml_files import CatalogError, Problem

__all__ = ["CatalogError", "Problem", "check", "load", "load_default"]
