"""Each wheel says what it is: README, licence, addresses and classifiers; versions between the packages are pinned."""

import os
import re
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = sorted({*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")})
UV = Path(sys.executable).with_name("uv")


def project(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))["project"]
    return found


@pytest.mark.skipif(not UV.exists(), reason="uv is not in this environment")
def test_a_built_wheel_has_its_readme_licence_addresses_and_pins(tmp_path: Path) -> None:
    command = [
        str(UV),
        "build",
        "--wheel",
        "--package",
        "outlay-reports",
        "--out-dir",
        str(tmp_path),
        "--quiet",
    ]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "UV_OFFLINE": "1"})
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        found = Parser().parsestr(content.read(metadata).decode())
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Description-Content-Type"] == "text/markdown"
    assert "# outlay-reports" in str(found.get_payload())
    addresses = {value.split(",")[0] for value in found.get_all("Project-URL", [])}
    assert addresses >= {"Homepage", "Documentation", "Changelog", "Issues"}
    assert "Programming Language :: Python :: 3.11" in found.get_all("Classifier", [])
    version = found["Version"]
    assert f"outlay-schemas=={version}" in found.get_all("Requires-Dist", [])


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_every_package_has_the_same_metadata_and_pins_the_others_to_its_version(path: Path) -> None:
    found = project(path)
    template = project(ROOT / "outlay" / "pyproject.toml")
    for name in ("version", "requires-python", "license", "license-files", "readme", "urls"):
        assert found[name] == template[name], name
    topics = [one for one in found["classifiers"] if one.startswith("Topic ::")]
    assert set(found["classifiers"]) - set(topics) == {c for c in template["classifiers"] if "Topic" not in c}
    assert topics
    for requirement in found["dependencies"]:
        if requirement.startswith("outlay"):
            assert requirement.endswith(f"=={found['version']}"), requirement
    readme = (path.parent / "README.md").read_text("utf-8")
    assert readme.startswith(f"# {found['name']}\n")
    assert (path.parent / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")


def test_only_one_package_needs_pyarrow() -> None:
    needs = {
        found["name"]
        for found in map(project, PROJECTS)
        if any(re.match(r"pyarrow\b", requirement) for requirement in found["dependencies"])
    }
    assert needs == {"outlay"}
