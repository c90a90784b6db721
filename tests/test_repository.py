"""Rules about the repository itself, not about what it computes."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from analognas import __version__

ROOT = Path(__file__).parents[1]
LIBRARIES = ("simulator", "search_spaces", "surrogates")

# Written in pieces, so that this file passes its own test: folders of one machine, numbers of a
# tracker, places that packages are fetched from.
FORBIDDEN = [
    "/" + "work/",
    "/" + "root/",
    "/" + "home/",
    "/" + "opt/",
    "issue" + " #",
    "pypi" + ".org",
    "python" + "hosted",
    "--index" + "-url",
    "--find" + "-links",
]
CANNOT_BE_READ = (".npz", ".parquet", ".safetensors", ".png", ".flac", ".wav")
# Data that stays in the repository and out of the wheel: weights, kept for labelling again.
NOT_SHIPPED = (".safetensors",)
NAMES_A_COMMAND = re.compile(r"\b(make|analognas) [a-z]")


def tracked_files() -> list[Path]:
    """What git holds or would hold, without the links; the working tree where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def plain_name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_libraries_are_relative_links_in_the_package(name: str) -> None:
    link = ROOT / "analognas" / name
    assert link.is_symlink(), f"{link} must be a link; clone with core.symlinks=true"
    assert str(link.readlink()) == f"../{name}"
    assert (link / "__init__.py").is_file()


def test_the_newest_heading_of_the_changelog_is_the_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    versions = [heading.strip("[]") for heading in headings]
    if versions[0].lower() == "unreleased":
        versions = versions[1:]
    assert versions[0] == __version__


def test_the_lock_pins_public_versions_and_nothing_else(lock: list[str]) -> None:
    for line in lock:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-z_]+ == \"[A-Za-z0-9_]+\")?", line)
    text = "\n".join(lock)
    assert not any(mark in text for mark in ("+", "--", "http", "@"))
    names = [plain_name(line) for line in lock]
    assert names == sorted(set(names))


def test_the_lock_holds_every_dependency(lock: list[str], project: dict[str, Any]) -> None:
    pinned = {plain_name(line) for line in lock}
    extras = project["project"]["optional-dependencies"]
    wanted = project["project"]["dependencies"] + extras["dev"] + extras["onnx"]
    assert {plain_name(requirement) for requirement in wanted} <= pinned


def test_the_installed_torch_is_the_locked_one(lock: list[str]) -> None:
    pinned = dict(line.split(" ;")[0].split("==") for line in lock)
    assert version("torch").split("+")[0] == pinned["torch"]


def test_no_file_speaks_of_a_machine_a_tracker_or_a_registry() -> None:
    found = []
    for path in tracked_files():
        if path.suffix not in CANNOT_BE_READ:
            text = path.read_text(encoding="utf-8")
            found += [f"{path.relative_to(ROOT)}: {mark}" for mark in FORBIDDEN if mark in text]
    assert not found


def test_every_data_file_of_the_package_gets_into_the_wheel(project: dict[str, Any]) -> None:
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    packages = [ROOT / name for name in ("analognas", *LIBRARIES)]
    shipped = {
        path
        for package in packages
        for marker in package.rglob("__init__.py")
        for pattern in patterns
        for path in marker.parent.glob(pattern)
    }
    data = {
        path
        for path in tracked_files()
        if path.suffix not in (".py", *NOT_SHIPPED)
        and any(path.is_relative_to(package) for package in packages)
    }
    assert not sorted(str(path.relative_to(ROOT)) for path in data - shipped)


def test_no_file_is_huge() -> None:
    huge = [path for path in tracked_files() if path.stat().st_size > 20_000_000]
    assert not huge


def test_python_packages_have_an_init_and_tests_have_none() -> None:
    files = [path for path in tracked_files() if path.suffix == ".py"]
    folders = {path.parent for path in files}
    for folder in folders:
        inside = folder.relative_to(ROOT).parts[:1]
        if inside == ("tests",):
            assert not (folder / "__init__.py").exists(), folder
        elif inside and inside[0] in ("analognas", *LIBRARIES):
            assert (folder / "__init__.py").exists(), folder


def test_every_result_names_the_command_that_makes_it_again() -> None:
    folder = ROOT / "results"
    for path in (p for p in tracked_files() if p.is_relative_to(folder)):
        texts = [] if path.suffix in CANNOT_BE_READ else [path.read_text(encoding="utf-8")]
        # Of a folder of kept work, its README speaks for all of it.
        above = [parent / "README.md" for parent in path.parents if parent != folder]
        readmes = (readme for readme in above if readme.is_relative_to(folder))
        texts += [readme.read_text(encoding="utf-8") for readme in readmes if readme.exists()]
        for beside in path.parent.glob("*.md"):
            if path.name in beside.read_text(encoding="utf-8"):
                texts.append(beside.read_text(encoding="utf-8"))
        assert any(NAMES_A_COMMAND.search(text) for text in texts), path
