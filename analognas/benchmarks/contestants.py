"""Which networks a benchmark compares, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.records import EVALUATION_TIMES_S
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.searching.config import SearchConfig
from analognas.searching.run_directory import RunDirectory
from analognas.searching.running import resume_search, search_task

if TYPE_CHECKING:
    from analognas.searching.front import FrontRecord
    from analognas.training import Progress

SEARCH, RANDOM, NAMED, WIDEST = "search", "random search", "named", "widest"
SCORES = ("accuracy@1s", "accuracy@1h", "accuracy@1day", "accuracy@1month", "accuracy@1year")
WIDEST_STAGES = range(8, 1, -1)


@dataclass(frozen=True)
class Contestant:
    """A network of the benchmark.

    `predicted` maps seconds to the surrogate's mean accuracy; empty where nothing was predicted.
    """

    name: str
    origin: str
    architecture: Architecture
    predicted: Mapping[float, float]


def searched(
    config: SearchConfig, folder: Path, progress: Progress | None, *, random: bool
) -> tuple[list[Contestant], str]:
    """Run a search, or read it again, and take its picks untrained.

    Args:
        config: Settings of the search.
        folder: Run folder of this search.
        progress: Told how far the search is.
        random: Draw candidates at random instead: same surrogate, same number of candidates.

    Returns:
        The picks, and one sentence on where the predictions come from.
    """
    origin = RANDOM if random else SEARCH
    config = replace(config, sampler="random" if random else config.sampler, winners=0)
    if RunDirectory(folder).config_path.exists():
        result = resume_search(folder, progress)
    else:
        result = search_task(config, folder, progress)
    picks = [member for member in result.front if member.picks]
    return [_contestant(member, origin) for member in picks], result.basis


def _contestant(member: FrontRecord, origin: str) -> Contestant:
    times = EVALUATION_TIMES_S.values()
    predicted = {t_s: member.scores[name] for t_s, name in zip(times, SCORES, strict=True)}
    name = f"{origin}: {'/'.join(member.picks)}"
    return Contestant(name, origin, Architecture.from_dict(dict(member.architecture)), predicted)


def named_networks(space: SearchSpace, fits: Callable[[Architecture], bool]) -> list[Contestant]:
    """Return the named networks of the space that keep the task's limits."""
    return [Contestant(name, NAMED, arch, {}) for name, arch in space.named.items() if fits(arch)]


def widest_network(
    input_shape: tuple[int, int, int], n_classes: int, fits: Callable[[Architecture], bool]
) -> Contestant:
    """Return the widest plain stack of 3x3 convolutions within the limits.

    All stages are equally wide, the first and the third halve the map. The largest width is taken
    that fits with at least two stages, then as many stages as fit.

    Raises:
        ValueError: Not even the narrowest one fits.
    """
    space = make_space("conv", input_shape=input_shape, n_classes=n_classes)
    start = space.codes(next(iter(space.named.values())))
    for width in sorted(space.genes["width_1"], key=int, reverse=True):
        for stages in WIDEST_STAGES:
            codes = dict(start) | {"stages": stages}
            for stage in range(1, stages + 1):
                codes[f"kernel_{stage}"] = "3x3"
                codes[f"stride_{stage}"] = 2 if stage in (1, 3) else 1
                codes[f"width_{stage}"] = width
                if stage > 1:
                    codes |= {f"kind_{stage}": "regular", f"skip_{stage}": 0}
            arch = space.decode(codes)
            if arch is not None and fits(arch):
                return Contestant(f"widest: {stages} x {width}", WIDEST, arch, {})
    raise ValueError("Even the narrowest stack of convolutions breaks the limits of the task.")
