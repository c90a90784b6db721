"""Read exported PyTorch programs (.pt2) without running code that came with the file.

A `.pt2` file is an archive of a graph in JSON and of raw weights. Beside these it may hold pickled
objects, compiled libraries, and formulas that torch evaluates; torch would run any of them. Files
with such contents are refused.
"""

from __future__ import annotations

import json
import logging
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.errors import UserError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

SAVE = "Save it by `torch.export.save(torch.export.export(model.eval(), (x,)), 'model.pt2')`"
# Functions that a formula for a size may use.
FORMULA_WORDS = (
    *("Abs", "Add", "And", "CeilToInt", "CleanDiv", "Eq", "Equality", "Float", "FloatTrueDiv"),
    *("FloorDiv", "FloorToInt", "Ge", "GreaterThan", "Gt", "Identity", "IntTrueDiv", "Integer"),
    *("Le", "LessThan", "Lt", "Max", "Min", "Mod", "ModularIndexing", "Mul", "Ne", "Not", "Or"),
    *("Pow", "PowByNatural", "PythonMod", "Rational", "RoundToInt", "StrictGreaterThan"),
    *("StrictLessThan", "Symbol", "ToFloat", "TruncToInt", "Unequality", "Where", "ceiling"),
    "floor",
)
# Torch's own switches for what it reads from a pickle.
ONLY_TENSORS, ANYTHING = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
FORMULA = re.compile(r"[\w\s()+\-*/,<>=&|~%]*")
SYMBOL = re.compile(r"Symbol\('[A-Za-z]\w*'")
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")


def load_program(path: Path) -> ExportedProgram:
    """Read a `.pt2` file.

    Raises:
        UserError: The file does not exist, is no exported program of this version of torch, or
            holds something that would have to be run to be read.
    """
    import torch

    if not path.is_file():
        raise UserError(
            f"There is no file {str(path)!r}. Give the path of an exported model (.pt2)."
        )
    _check_contents(path)
    try:
        with _nothing_is_run():
            return torch.export.load(str(path))
    except Exception as error:  # torch has no error of its own for a damaged file
        text = str(error).strip().splitlines()
        reason = text[0] if text else type(error).__name__
        raise UserError(
            f"{path} cannot be read as an exported program of torch {torch.__version__}: {reason}. "
            f"{SAVE} with this version of torch."
        ) from error


def _check_contents(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
            if len(set(names)) < len(names):
                raise UserError(f"{path} holds two files of the same name. {SAVE} again.")
            members = dict(zip(names, archive.namelist(), strict=True))
            programs = [name for name in names if name.startswith("models/")]
            if programs != ["models/model.json"]:
                raise UserError(
                    f"{path} must hold one exported program, but it holds {len(programs)}. {SAVE}."
                )
            refused = [name for name in names if _is_code(name)]
            for name in names:
                if name.endswith("_config.json"):
                    refused += _pickled(json.loads(archive.read(members[name])))
            formulas = set(_formulas(json.loads(archive.read(members["models/model.json"]))))
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no exported program: {error}. {SAVE}.") from error
    if refused:
        raise UserError(
            f"{path} holds objects that can only be read by running code from the file: "
            f"{', '.join(sorted(refused)[:3])}. Export a model of plain tensors. {SAVE}."
        )
    if strange := sorted(text for text in formulas if not _is_plain(text)):
        raise UserError(
            f"{path} gives a size by the formula {strange[0][:60]!r}, which is not a plain one and "
            f"is not evaluated. {SAVE} again."
        )


def _is_code(name: str) -> bool:
    """Whether a member is a library, or a pickle in the place of weights or constants."""
    compiled = name.startswith(("data/aotinductor/", "executorch/", "data/executorch/"))
    stored = name.startswith(("data/weights/", "data/constants/"))
    place = name.rpartition("/")[2]
    known = place.startswith(("weight_", "tensor_")) or place.endswith("_config.json")
    return compiled or (stored and not known)


def _pickled(config: Any) -> list[str]:
    entries = config.get("config", {}) if isinstance(config, dict) else {}
    return [name for name, entry in entries.items() if entry.get("use_pickle")]


def _formulas(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "expr_str" and isinstance(item, str):
                yield item
            else:
                yield from _formulas(item)
    elif isinstance(value, list):
        for item in value:
            yield from _formulas(item)


def _is_plain(formula: str) -> bool:
    formula = SYMBOL.sub("Symbol(s", formula)
    if FORMULA.fullmatch(formula) is None or "__" in formula:
        return False
    return all(word in FORMULA_WORDS for word in CALL.findall(formula))


@contextmanager
def _nothing_is_run() -> Iterator[None]:
    """Let torch read tensors only: its sample inputs are a pickle, which may hold anything."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    before = {name: os.environ.pop(name, None) for name in (ONLY_TENSORS, ANYTHING)}
    os.environ[ONLY_TENSORS] = "1"
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
