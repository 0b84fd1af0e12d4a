"""Ends what a killed parent left behind: the kernel ends its children (on Linux), but not what they started. A small
shell reads the process groups that run, a line at each change, and kills those of the last line when the pipe ends.
A parent that ends in order leaves an empty line."""

import subprocess
from collections.abc import Iterable

_SCRIPT = """
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"""


class OrphanReaper:
    """A process of its own; tell it each time that the groups change."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def watch(self, groups: Iterable[int]) -> None:
        """Have these process groups ended, and no others, should this process die."""
        line = " ".join(map(str, groups)).encode() + b"\n"
        if not self._write(line):
            # It was killed, or this is the first time.
            self.close()
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            self._write(line)

    def close(self) -> None:
        """End it; what it watched is left alone if the last line was empty."""
        if self._shell is None:
            return
        if self._shell.stdin:
            self._shell.stdin.close()
        self._shell.wait(timeout=10)
        self._shell = None

    def _write(self, line: bytes) -> bool:
        if self._shell is None or self._shell.stdin is None:
            return False
        try:
            self._shell.stdin.write(line)
        except BrokenPipeError:
            return False
        return True
