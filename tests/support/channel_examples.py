"""The documented example of each channel of the catalog."""

import re
from typing import Any

import yaml
from pydantic import TypeAdapter
from tests.support.pages import pages

from outlay_schemas.catalog import channels as schema


def example(name: str) -> Any:
    """Return the documented example of a channel, with secrets that are made up."""
    (text,) = re.findall(r"```yaml\n# channels\.yaml\n(.*?)```", pages("notifications"), re.DOTALL)
    found = next(one for one in yaml.safe_load(text) if one["type"] == name)
    spec = TypeAdapter[Any](schema.Channel).validate_python(found)
    made_up = {"url": "https://hooks.example/x", "secret": "whsec_" + "eHh4" * 8, "token": "xoxb-1"}
    values = {n: made_up.get(n, "made-up") for n in schema.secret_fields(type(spec)) if getattr(spec, n)}
    return spec.model_copy(update=values)
