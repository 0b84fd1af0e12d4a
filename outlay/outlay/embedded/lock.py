"""One stack a folder: a lock that the system drops when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from outlay.embedded.errors import AlreadyRunningError, DiskError


class FolderLock:
    """Holds `folder/lock`. The lock is the kernel's, so that one left by a killed process does not count."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor = -1
        self.reclaimed = False
        """Whether the last holder did not clean up: it was killed, or the machine went down."""

    def acquire(self) -> None:
        """Take the lock. Raises AlreadyRunningError, or DiskError if the folder cannot be written."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"{self._path.parent} cannot be written: {error.strerror}"
            hint = "make it writable, or choose another folder: OUTLAY_HOME=DIR"
            raise DiskError(message, hint) from error
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            message = f"a stack runs already in {self._path.parent}" + (f" (pid {holder})" if holder else "")
            hint = "use it (outlay status), stop it (outlay down), or choose another folder: OUTLAY_HOME=DIR"
            raise AlreadyRunningError(message, hint) from None
        self.reclaimed = bool(holder)
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back, marking that everything was cleaned up."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def holder(folder: Path) -> int | None:
    """Return the pid that holds the folder's lock now, or None."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
