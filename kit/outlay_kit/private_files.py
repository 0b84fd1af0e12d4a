"""Files that only their owner may read: keys, passwords, secrets."""

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file whole, with mode 0600: a reader sees the old bytes or the new ones. Raises OSError."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, and its parents. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
