"""The catalog as people write it: YAML in a folder, read into one `Catalog`."""

from outlay.catalog.load import load, load_default

__all__ = ["load", "load_default"]
