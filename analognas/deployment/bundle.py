"""The folder that holds everything about one trained and measured network."""

from __future__ import annotations

import csv
import io
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from analognas.deployment.chosen_hardware import ChosenHardware
from analognas.errors import UserError
from analognas.files import write_text
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime, Evaluation

FORMAT_VERSION = 1
UNFINISHED = ".unfinished"  # suffix of a folder that is still being written

ARCHITECTURE = "architecture.json"
WEIGHTS = "weights.safetensors"
NETWORK = "model.onnx"
PLACEMENT = "placement.json"
ACCURACY = "accuracy_over_time.csv"
COST = "cost.csv"
PICK = "pick.json"
EVALUATION = "evaluation.json"
README = "README.txt"
# Only of a network whose hardware was searched: what was chosen, and what it came to.
CHOSEN = "design.json"
HARDWARE_FILE = "hardware.toml"
CHIP_FILE = "chip.toml"
DIGITAL = "digital steps"  # a row of the cost table on chips that charge them
TOTAL = "total"  # the last row
FILES = (ARCHITECTURE, WEIGHTS, NETWORK, PLACEMENT, ACCURACY, COST, PICK, EVALUATION, README)


@dataclass(frozen=True)
class PredictedAccuracy:
    """What the surrogate said before the network was trained; the interval may be unknown."""

    t_s: float
    mean: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class FoundAccuracy:
    """What a search that trains its candidates measured on the validation part."""

    t_s: float
    mean: float


@dataclass(frozen=True)
class Origin:
    """Why this network was trained: as a pick of the front, or as a baseline.

    What was known of it before is either `predicted` by a surrogate or `found` by a search that
    trained it shorter, simulated on the validation part; both may be empty.
    """

    name: str
    baseline: bool
    predicted: tuple[PredictedAccuracy, ...]
    found: tuple[FoundAccuracy, ...] = ()

    def found_at(self, t_s: float) -> FoundAccuracy | None:
        return next((f for f in self.found if f.t_s == t_s), None)

    def predicted_at(self, t_s: float) -> PredictedAccuracy | None:
        return next((p for p in self.predicted if p.t_s == t_s), None)

    def to_dict(self) -> dict[str, Any]:
        content = {"format_version": FORMAT_VERSION, "label": "predicted", **asdict(self)}
        if self.found:
            return content | {"label": "simulated, validation part"}
        del content["found"]
        return content

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Origin:
        """Read back `to_dict()`."""
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"`format_version` must be {FORMAT_VERSION}, not {data.get('format_version')!r}."
            )
        predicted = tuple(PredictedAccuracy(**entry) for entry in data["predicted"])
        found = tuple(FoundAccuracy(**entry) for entry in data.get("found", ()))
        return cls(str(data["name"]), bool(data["baseline"]), predicted, found)


@dataclass(frozen=True)
class Bundle:
    """One finished network of a run, read back from its folder.

    `layers` are the rows of the cost table (the last one is the total), `placement` is
    `Placement.to_dict()`. `chosen` says which hardware a search chose for it, if it searched any.
    """

    folder: Path
    origin: Origin
    evaluation: Evaluation
    placement: Mapping[str, Any]
    layers: tuple[Mapping[str, str], ...]
    chosen: ChosenHardware | None = None

    @property
    def name(self) -> str:
        return self.origin.name

    @property
    def key(self) -> str:
        return self.evaluation.key

    @property
    def scope(self) -> str:
        """What the modelled costs cover."""
        return str(self.layers[0].get("scope", "")) if self.layers else ""

    @property
    def title(self) -> str:
        """What the network is called in a text: `accuracy pick`, `ds-cnn`, or its key."""
        if self.origin.baseline or self.name == self.key:
            return self.name
        return f"{self.name.replace('+', '/')} pick"


def bundle_folder(winners: Path, name: str, key: str) -> Path:
    """Return where the bundle of a network lies; one that is only called by its key has no name."""
    return winners / (key if name == key else f"{name}-{key}")


@contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its place when the block ends well.

    What was there before is replaced; on any error it stays, and the new folder is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_unfinished(winners: Path) -> None:
    """Remove what a killed run left half written."""
    if winners.is_dir():
        for folder in winners.glob(f".*{UNFINISHED}"):
            shutil.rmtree(folder, ignore_errors=True)


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle back.

    Raises:
        UserError: A file of it is missing or damaged.
    """
    try:
        evaluation = Evaluation.from_dict(_read_json(folder / EVALUATION))
        origin = Origin.from_dict(_read_json(folder / PICK))
        placement = _read_json(folder / PLACEMENT)
        layers = tuple(csv.DictReader(io.StringIO((folder / COST).read_text(encoding="utf-8"))))
        chosen = None
        if (folder / CHOSEN).is_file():
            chosen = ChosenHardware.from_dict(_read_json(folder / CHOSEN))
        files = FILES if chosen is None else (*FILES, HARDWARE_FILE, CHIP_FILE)
        missing = [name for name in files if not (folder / name).is_file()]
        if missing:
            raise ValueError(f"{', '.join(missing)} is missing")
        _check_weights(folder / WEIGHTS)
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is not a complete bundle: {error}. "
            "Delete this folder and run `analognas resume` to make it again."
        ) from error
    return Bundle(folder, origin, evaluation, placement, layers, chosen)


def _check_weights(path: Path) -> None:
    """See whether the file is as long as its header says; the values are not read."""
    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged ({error})") from error


def read_bundles(winners: Path) -> tuple[Bundle, ...]:
    """Read every bundle of a run: picks first (accuracy, knee, energy, others), then baselines."""
    if not winners.is_dir():
        return ()
    folders = [entry for entry in winners.iterdir() if entry.is_dir() and entry.name[0] != "."]
    return tuple(sorted((read_bundle(folder) for folder in folders), key=_reading_order))


def _reading_order(bundle: Bundle) -> tuple[bool, int, str, str]:
    order = ("accuracy", "knee", "energy")
    first = bundle.name.split("+")[0]
    rank = order.index(first) if first in order else len(order)
    return (bundle.origin.baseline, rank, bundle.name, bundle.key)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record as readable JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def accuracy_table(analog: AccuracyOverTime) -> tuple[list[str], list[list[object]]]:
    """Lay simulated accuracies out as a table: one row a time, one column a chip.

    The lower bound says in its column name whether it is an empirical quantile or a normal one.
    """
    names = {t_s: name for name, t_s in EVALUATION_TIMES_S.items()}
    columns = ["time", "t_s", "mean", "sd", f"low ({analog.low_name})"]
    columns += [f"chip_{chip}" for chip in range(analog.chips)]
    summaries = zip(
        analog.times_s, analog.mean(), analog.spread(), analog.low(), analog.accuracy, strict=True
    )
    return columns, [
        [names.get(t_s, f"{t_s:g} s"), t_s, mean, sd, low, *chips]
        for t_s, mean, sd, low, chips in summaries
    ]


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} does not hold a JSON object")
    return content
