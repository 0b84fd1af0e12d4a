"""Copies the console's browser libraries out of their npm packages: `python services/console/vendor.py`.

What it fetches is pinned by version and by npm's own checksum of it; what it copied is committed, so that neither
a build nor a browser ever fetches anything.
"""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "services/console/outlay_console/static/vendor"
TESTS = ROOT / "tests/browser/vendor"
UPLOT = {
    "dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "dist/uPlot.min.css": "uPlot.min.css",
    "LICENSE": "uPlot.LICENSE",
}
AXE = {"axe.min.js": "axe.min.js", "LICENSE": "axe-core.LICENSE"}
PACKAGES = {"uplot@1.6.32": (STATIC, UPLOT), "axe-core@4.14.1": (TESTS, AXE)}
SHA512 = Path(__file__).with_name("vendor.sha512")


def main() -> int:
    """Copy every file, or say which package is not what it was."""
    known = dict(line.split() for line in SHA512.read_text("utf-8").splitlines())
    for package, (folder, files) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as place:
            command = ["npm", "pack", package, "--json", "--pack-destination", place]
            packed = subprocess.run(command, check=True, capture_output=True)
            archive = (Path(place) / json.loads(packed.stdout)[0]["filename"]).read_bytes()
        found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        if found != known.get(package):
            sys.stderr.write(f"{package} has another checksum than {SHA512.name} says: {found}\n")
            return 1
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for inside, name in files.items():
                source = tar.extractfile(f"package/{inside}")
                if source is None:
                    raise FileNotFoundError(f"{package} has no {inside}")
                (folder / name).write_bytes(source.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
