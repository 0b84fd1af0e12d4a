"""Parameters in a form: how the stock client sends a statement whose bound values are too long for a URL."""

from email.parser import BytesParser
from email.policy import HTTP

from outlay.embedded.chdb_server.engine import refused


def is_form(content_type: str) -> bool:
    """Tell whether a body is a form."""
    return content_type.lower().startswith("multipart/form-data")


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form's fields. Raises EngineError for one that is cut, not text, or holds a file: an external table."""
    form = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    if not form.is_multipart() or form.defects:
        raise refused(36, "BAD_ARGUMENTS", "The form cannot be read: its boundary or its end is missing")
    found: dict[str, str] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise refused(
                48, "NOT_IMPLEMENTED", "External tables are not taken here; run a ClickHouse server"
            )
        value = part.get_payload(decode=True)
        try:
            found[name] = value.decode() if isinstance(value, bytes) else ""
        except UnicodeDecodeError:
            raise refused(62, "SYNTAX_ERROR", f"The field {name} is not UTF-8") from None
    return found
