"""Changes of a genotype that people would think of: half the depth, double the width, no skips.

Generic over spaces: genes whose names differ in a number alone ("width_1", "width_2") are one part
of the network, and the gene that counts them ("stages") is its depth.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from analognas.search_spaces.base import Codes, Gene, SearchSpace

Change = Callable[[Codes], dict[str, Gene]]

COUNTERS = ("stages", "main_blocks")  # how many of the numbered genes play a part
# Of a stage that is repeated, these take their lowest value: it keeps size and width.
NOT_REPEATED = ("stride", "widening")
STEP_DOWN, STEP_UP = -1, 1
WORDS: Mapping[str, str] = {
    "stages": "depth",
    "main_blocks": "main blocks",
    "stem_width": "width of the stem",
    "stem_kernel": "kernel of the stem",
    "stem_stride": "stride of the stem",
    "widening": "widening",
    "blocks": "residual blocks",
    "branches": "branches",
}
# How a value of a part is said, where "every PART VALUE" would be hard to read.
SAID: Mapping[tuple[str, Gene], str] = {
    ("skip", 0): "no skips",
    ("skip", 1): "skips wherever they fit",
    ("kind", "regular"): "regular layers alone",
    ("kind", "separable"): "depthwise-separable layers alone",
    ("kind", "pointwise"): "1x1 layers alone, behind the first",
    ("kind", "A"): "basic residual blocks (A)",
    ("kind", "B"): "bottleneck blocks (B)",
    ("kind", "C"): "depthwise-separable blocks (C)",
    ("kind", "D"): "single-layer blocks (D)",
}


@dataclass(frozen=True)
class Edit:
    """One change of a genotype.

    Args:
        part: Of the network; two changes of one part are never combined.
        words: What is done.
        apply: Genotype to genotype.
    """

    part: str
    words: str
    apply: Change


def edits_of(space: SearchSpace, codes: Codes) -> tuple[Edit, ...]:
    """Every change that makes sense for a network with this genotype.

    Args:
        space: Of the network.
        codes: Its own genotype, `space.codes(arch)`.
    """
    family = str(codes.get("family", ""))
    prefix = f"{family}." if family else ""
    parts: dict[str, dict[int, str]] = {}
    for gene in space.genes:
        if gene.startswith(prefix) and gene != "family":
            name, number = _split(gene.removeprefix(prefix))
            parts.setdefault(name, {})[number] = gene
    counter = next((name for name in COUNTERS if name in parts), None)
    count = int(codes[parts[counter][0]]) if counter else 0
    found: list[Edit] = []
    for name, numbered in parts.items():
        values = space.genes[next(iter(numbered.values()))]
        active = {n: gene for n, gene in numbered.items() if n == 0 or not counter or n <= count}
        if name == counter:
            found += _depth_edits(space, numbered[0], parts, counter, count)
        elif name.endswith("stride"):
            found += _stride_edits(name, active, codes, values, counter)
        elif all(isinstance(value, int) for value in values) and set(values) != {0, 1}:
            found += _scale_edits(name, active, values)
        else:
            found += [_set_edit(name, active, value) for value in values]
    return tuple(found)


def _split(gene: str) -> tuple[str, int]:
    """Name and number of a gene; 0 where it has none."""
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", gene)
    assert match is not None  # everything matches
    return match[1], int(match[2] or 0)


def _depth_edits(
    space: SearchSpace, gene: str, parts: Mapping[str, Mapping[int, str]], name: str, count: int
) -> Iterator[Edit]:
    """Fewer or more stages, taken evenly from those that there are."""
    values = [int(value) for value in space.genes[gene]]
    word = WORDS[name]
    wanted = {
        f"half the {word}": _nearest(values, count / 2),
        f"double the {word}": _nearest(values, count * 2),
        f"one less in {word}": count - 1,
        f"one more in {word}": count + 1,
    }
    for words, new in wanted.items():
        if new == count or new not in values:
            continue

        def apply(codes: Codes, new: int = new) -> dict[str, Gene]:
            return _with_stages(space, codes, gene, parts, (int(codes[gene]), new))

        yield Edit(name, words, apply)


def _with_stages(
    space: SearchSpace,
    codes: Codes,
    gene: str,
    parts: Mapping[str, Mapping[int, str]],
    counts: tuple[int, int],
) -> dict[str, Gene]:
    """The genotype with another number of stages: each new one is like the old one at its place."""
    old, new = counts
    sources = [1 + round(place * (old - 1) / max(new - 1, 1)) for place in range(new)]
    changed = {**codes, gene: new}
    for name, numbered in parts.items():
        for place, source in enumerate(sources, start=1):
            if place not in numbered:
                continue
            repeated = place > 1 and sources[place - 2] == source
            if repeated and name in NOT_REPEATED:
                changed[numbered[place]] = space.genes[numbered[place]][0]
            elif source in numbered:
                changed[numbered[place]] = codes[numbered[source]]
    return changed


def _stride_edits(
    name: str,
    active: Mapping[int, str],
    codes: Codes,
    values: tuple[Gene, ...],
    counter: str | None,
) -> Iterator[Edit]:
    """One stride at a time: all together would shrink the map to nothing."""
    for number, gene in active.items():
        place = "main block" if counter == "main_blocks" else "stage"
        where = f" of {place} {number}" if number else " of the stem"
        for value in values:
            if value == codes[gene]:
                continue

            def apply(codes: Codes, gene: str = gene, value: Gene = value) -> dict[str, Gene]:
                return {**codes, gene: value}

            yield Edit(name, f"stride {value}{where}", apply)


def _scale_edits(name: str, active: Mapping[int, str], values: tuple[Gene, ...]) -> Iterator[Edit]:
    numbers = [int(value) for value in values]
    word = WORDS.get(name, name.replace("_", " "))
    for words, factor in ((f"half the {word}", 0.5), (f"double the {word}", 2.0)):

        def scale(codes: Codes, factor: float = factor) -> dict[str, Gene]:
            new = {g: _nearest(numbers, factor * int(codes[g])) for g in active.values()}
            return {**codes, **new}

        yield Edit(name, words, scale)
    for words, step in ((f"{word} a step down", STEP_DOWN), (f"{word} a step up", STEP_UP)):

        def move(codes: Codes, step: int = step) -> dict[str, Gene]:
            last = len(numbers) - 1
            places = {g: numbers.index(int(codes[g])) + step for g in active.values()}
            return {**codes, **{g: numbers[min(max(p, 0), last)] for g, p in places.items()}}

        yield Edit(name, words, move)


def _set_edit(name: str, active: Mapping[int, str], value: Gene) -> Edit:
    word = WORDS.get(name, name.replace("_", " "))
    plain = f"{word} {value}" if set(active) == {0} else f"every {word} {value}"
    words = SAID.get((name, value), plain)
    return Edit(name, words, lambda codes: {**codes, **dict.fromkeys(active.values(), value)})


def _nearest(values: list[int], wanted: float) -> int:
    return min(values, key=lambda value: abs(math.log(value / wanted)) if value else math.inf)
