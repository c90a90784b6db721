"""Files that are no exported programs, or that would run code."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from analognas.deploying.programs import load_program
from analognas.errors import UserError


class Hostile:
    """Would make a folder if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


def changed(program: Path, member: str, content: bytes) -> Path:
    """A copy of an archive with one file more, or another one."""
    path = program.with_name("changed.pt2")
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(path, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            if name != f"{root}/{member}":
                new.writestr(name, old.read(name))
        new.writestr(f"{root}/{member}", content)
    return path


def test_an_exported_program_is_read(exported: Path) -> None:
    assert load_program(exported).example_inputs is not None


@pytest.mark.parametrize(
    "member",
    ["data/constants/opaque_obj_0", "data/weights/model.pt", "data/aotinductor/model/x.so"],
)
def test_objects_that_run_code_are_refused_unread(
    exported: Path, tmp_path: Path, member: str
) -> None:
    trap = tmp_path / "trap"
    path = changed(exported, member, pickle.dumps(Hostile(trap)))
    with pytest.raises(UserError, match="running code"):
        load_program(path)
    assert not trap.exists()


def test_hostile_sample_inputs_are_not_run(exported: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = changed(exported, "data/sample_inputs/model.pt", pickle.dumps(Hostile(trap)))
    with pytest.raises(UserError, match="cannot be read"):
        load_program(path)
    assert not trap.exists()


def test_weights_marked_as_pickles_are_refused(exported: Path) -> None:
    config = {"config": {"fc.weight": {"path_name": "weight_0", "use_pickle": True}}}
    member = "data/weights/model_weights_config.json"
    path = changed(exported, member, json.dumps(config).encode())
    with pytest.raises(UserError, match=r"fc\.weight"):
        load_program(path)


@pytest.mark.parametrize("formula", ["__import__('os')", "exec('x')", "eval(s)", "a.b"])
def test_formulas_that_are_not_plain_are_not_evaluated(exported: Path, formula: str) -> None:
    content = json.dumps({"graph": [{"expr_str": formula}]}).encode()
    with pytest.raises(UserError, match="not a plain one"):
        load_program(changed(exported, "models/model.json", content))


def test_files_that_are_no_programs_are_told_so(exported: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.pt2"
    text.write_text("hello")
    other = tmp_path / "other.pt2"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a/b", "c")
    half = tmp_path / "half.pt2"
    shutil.copy(exported, half)
    half.write_bytes(exported.read_bytes()[:2000])
    for path in (text, other, half, tmp_path / "missing.pt2", tmp_path):
        with pytest.raises(UserError, match=r"torch\.export|There is no file"):
            load_program(path)
