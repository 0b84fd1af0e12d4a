"""CloudEvents' binary mode over HTTP: attributes in `ce-` headers, the data in the body."""

from collections.abc import Mapping
from urllib.parse import unquote

from outlay_ingest.domain.rejections import explain
from outlay_schemas.cloudevents import join
from outlay_schemas.errors import UNREADABLE


def from_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return as one JSON object a CloudEvent of the binary mode.

    The values of headers are percent-encoded, as the specification's HTTP binding asks. Raises Invalid if the
    body is no JSON.
    """
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    try:
        return join(attributes, body)
    except UNREADABLE as error:
        raise explain(error, body) from None
