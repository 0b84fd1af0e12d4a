"""The project's own files: workflows run commands that exist, versions agree, pages stay readable."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = re.compile(
    r"(^|/)pyproject\.toml$|^(uv\.lock|\.ci/release|CHANGELOG\.md|Dockerfile|docker-compose\.yml|docs/deployment\.md)$"
    r"|^(deploy/(helm|kubernetes)|tests/containers/offline)/"
)
"""Files that a release of another version must not leave as they are, and what writes it."""
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PACKAGES = {path.parent.name: path for path in (*ROOT.glob("*/outlay*/"), *ROOT.glob("services/*/outlay_*/"))}
SCRIPTS = ("tests/browser/picture.py", "tests/browser/times.py", "tests/fuzz/", "tests/containers/offline/")
"""Programs that people start; they are neither tests nor helpers of tests."""
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _commands(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """A tag can be moved to other code."""
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", one) for one in used), used


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_and_scripts_that_exist(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in _commands(workflow):
        assert set(re.findall(r"\bmake ([a-z]+)", command)) <= targets
        assert all((ROOT / script).exists() for script in re.findall(r"(?<!\S)\.ci/[a-z]+", command))


def test_the_minimum_python_is_among_those_that_are_checked() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]["check"]["strategy"][
        "matrix"
    ]
    minimum = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert minimum
    assert minimum[1] == matrix["python"][0]


def test_every_package_has_the_same_version() -> None:
    projects = [path for path in ROOT.glob("**/pyproject.toml") if ".venv" not in path.parts]
    found = [re.search(r'^version = "(.*)"', path.read_text(), re.MULTILINE) for path in projects]
    assert len({match[1] for match in found if match}) == 1
    assert all(found)


@pytest.mark.parametrize(("version", "chart"), [("7.8.9", "7.8.9"), ("7.8.9rc1", "7.8.9-rc.1")])
def test_a_release_has_one_version_in_every_file_that_states_one(
    version: str, chart: str, tmp_path: Path
) -> None:
    old = str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    shipped = [name for name in listed.stdout.splitlines() if SHIPPED.search(name)]
    for name in shipped:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    release = tmp_path / ".ci/release"
    subprocess.run([release, "set", version], check=True)
    subprocess.run([release, "check", version], check=True)
    found = f'("|:|: |==){re.escape(old)}\\b'
    for name in (name for name in shipped if name not in ("CHANGELOG.md", "uv.lock")):
        assert not re.search(found, (tmp_path / name).read_text("utf-8")), name
    lock = tomllib.loads((tmp_path / "uv.lock").read_text("utf-8"))["package"]
    assert {p["version"] for p in lock if p["name"].startswith("outlay")} == {version}
    assert f"\nversion: {chart}\n" in (tmp_path / "deploy/helm/outlay/Chart.yaml").read_text("utf-8")
    (tmp_path / "kit/pyproject.toml").write_text((ROOT / "kit/pyproject.toml").read_text("utf-8"))
    refused = subprocess.run([release, "check", version], capture_output=True, text=True, check=False)
    assert f"kit/pyproject.toml: {old}" in refused.stderr


def test_setup_trusts_the_certificates_of_the_system_and_names_them_among_the_causes(tmp_path: Path) -> None:
    """Behind a proxy with an authority of its own pip works; uv must too."""
    for name in ("Makefile", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / ".venv/bin/uv").write_text(
        '#!/bin/sh\necho "system certificates: $UV_SYSTEM_CERTS"; exit 1\n'
    )
    (tmp_path / ".venv/bin/uv").chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name != "UV_SYSTEM_CERTS"}
    done = subprocess.run(
        ["make", "setup"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "system certificates: 1" in done.stdout
    assert "a certificate authority that the system does not trust" in done.stdout


def test_release_notes_come_from_the_changelog(tmp_path: Path) -> None:
    missing = subprocess.run(
        [ROOT / ".ci" / "release", "notes", "99.0.0"], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 1
    assert "CHANGELOG.md has no section [99.0.0]" in missing.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_short_and_wrapped(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert len(lines) <= 250 or page.name == "CHANGELOG.md", "give each topic a page of its own"
    prose, fenced = [], False
    for number, line in enumerate(lines, 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and not re.match(r"\s*(\||#|!?\[|<|```)", line) and " " in line.strip():
            prose.append((number, line))
    assert [number for number, line in prose if len(line) > 110] == []


def test_helpers_of_tests_are_in_support_and_nothing_imports_a_test_module() -> None:
    helpers = [str(p) for p in TESTS if not p.name.startswith("test_") and p.name != "conftest.py"]
    assert [p for p in helpers if not p.startswith(("tests/support/", *SCRIPTS))] == []
    tests = [p for p in helpers if re.search(r"^(async )?def test_", (ROOT / p).read_text(), re.MULTILINE)]
    assert [p for p in tests if not p.startswith(SCRIPTS)] == []
    imports = re.compile(r"^\s*(?:from|import) (tests(?!\.support\b)\S*)", re.MULTILINE)
    programs = [
        *(ROOT / "benchmarks").rglob("*.py"),
        *(ROOT / "docs").rglob("*.py"),
        *(ROOT / p for p in TESTS),
    ]
    assert len(programs) > 300
    found = {str(p.relative_to(ROOT)): imports.findall(p.read_text("utf-8")) for p in programs}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_each_folder_of_unit_tests_is_named_for_a_package() -> None:
    folders = {path.parent.relative_to("tests/unit") for path in TESTS if path.is_relative_to("tests/unit")}
    assert len(folders) > 20
    packages = [PACKAGES.get(f.parts[0], ROOT / "nowhere").joinpath(*f.parts[1:]) for f in folders if f.parts]
    assert [str(package) for package in packages if not package.joinpath("__init__.py").exists()] == []


def test_every_test_that_make_check_leaves_out_is_marked_so_that_make_test_runs_it() -> None:
    others = [p for p in TESTS if p.name.startswith("test_") and p.parts[1] not in ("unit", "contract")]
    assert len(others) > 50
    marked = re.compile(r"^(pytestmark = .*|@)pytest\.mark\.(stack|containers)", re.MULTILINE)
    assert [str(p) for p in others if not marked.search((ROOT / p).read_text())] == []
    unit = [p for p in TESTS if p.parts[1] == "unit"]  # the run of marked tests does not read these
    assert [str(p) for p in unit if marked.search((ROOT / p).read_text())] == []
