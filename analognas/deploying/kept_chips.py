"""Chips of a deployment that are finished, kept beside its folder until all of them are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from analognas.deploying.conductance_table import write_parquet
from analognas.deploying.measuring import ChipResult
from analognas.files import write_text
from analognas.simulator.programming import ProgrammingLog

SUFFIX = ".chips"


@dataclass(frozen=True)
class TileLog:
    """What programming one tile of a chip took."""

    layer: str
    block: int
    core: int
    log: ProgrammingLog


@dataclass(frozen=True)
class FinishedChip:
    """A chip that was programmed and measured; its conductances lie in a file beside."""

    result: ChipResult
    logs: tuple[TileLog, ...]


class KeptChips:
    """A hidden folder with the finished chips of one deployment.

    Args:
        out: Folder of the deployment.
        settings: All that the chips depend on; what was kept under other settings is removed.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self._folder = _folder_of(out)
        told = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        settings_file = self._folder / "settings.json"
        if not settings_file.is_file() or settings_file.read_text(encoding="utf-8") != told:
            shutil.rmtree(self._folder, ignore_errors=True)
            write_text(settings_file, told)

    def finished(self) -> dict[int, FinishedChip]:
        """What is there, by number of the chip."""
        found = {}
        for path in self._folder.glob("chip_*.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            chip = _read(content)
            if self._cells(chip.result.chip).is_file():
                found[chip.result.chip] = chip
        return found

    def keep(self, chip: FinishedChip, conductances: pa.Table) -> None:
        """Keep a chip; its record is written last and makes it valid."""
        number = chip.result.chip
        write_parquet(self._cells(number), [conductances])
        content = {"result": asdict(chip.result), "logs": [asdict(one) for one in chip.logs]}
        write_text(self._folder / f"chip_{number:04d}.json", json.dumps(content))

    def conductances(self, chip: int) -> pa.Table:
        """All cells of a kept chip."""
        return pa.parquet.read_table(self._cells(chip))

    def _cells(self, chip: int) -> Path:
        return self._folder / f"chip_{chip:04d}.parquet"


def remove_kept(out: Path) -> None:
    """Remove what was kept of a deployment, once it is written."""
    shutil.rmtree(_folder_of(out), ignore_errors=True)


def _folder_of(out: Path) -> Path:
    return out.with_name(f".{out.name}{SUFFIX}")


def _read(content: Mapping[str, Any]) -> FinishedChip:
    result = content["result"]
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in result.items()
    }
    logs = tuple(
        TileLog(one["layer"], one["block"], one["core"], ProgrammingLog(**one["log"]))
        for one in content["logs"]
    )
    return FinishedChip(ChipResult(**values), logs)
