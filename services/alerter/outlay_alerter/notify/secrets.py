"""Reads what the catalog only names: secrets, from variables and files that are meant for channels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outlay_schemas.catalog.channels import read_reference

MOST = 16 * 1024
"""Bytes of a secret."""


class SecretError(Exception):
    """A secret that is not where the catalog says. Its text never shows one."""


@dataclass(frozen=True)
class Secrets:
    """Where secrets may be: `OUTLAY_CHANNEL_...`, and files in a few folders.

    Whoever writes the catalog can have no others sent anywhere.
    """

    folders: tuple[Path, ...] = (Path("/run/secrets"),)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def read(self, reference: str) -> str:
        """Return the secret of `${env:NAME}` or `${file:/path}`, or the text itself. Raises SecretError.

        Of a variable that is not set, the file is read that `NAME_FILE` names, wherever it is.
        """
        found = read_reference(reference)
        if found is None:
            return reference
        kind, name = found
        if kind == "file":
            path = Path(name).resolve()
            if not any(path.is_relative_to(folder.resolve()) for folder in self.folders):
                raise SecretError(f"{name} is in no folder of OUTLAY_ALERTER_SECRET_FOLDERS")
            return _text(path, name)
        if value := self.environment.get(name):
            return value
        if file := self.environment.get(f"{name}_FILE"):
            return _text(Path(file), f"the file of {name}_FILE")
        raise SecretError(f"{name} is not set in the alerter's environment, nor {name}_FILE")


def _text(path: Path, name: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST).strip()
    except (OSError, UnicodeDecodeError):
        raise SecretError(f"{name} cannot be read") from None
    if not text:
        raise SecretError(f"{name} is empty")
    return text
