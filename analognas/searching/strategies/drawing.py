"""Random genotypes, and random changes of them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

import numpy as np

from analognas.searching.candidates import Codes
from analognas.searching.spaces import Genes, Realised
from analognas.searching.strategies.base import Problem

ATTEMPTS = 12  # changes in vain before a strategy takes what it has


def random_codes(genes: Genes, rng: np.random.Generator) -> dict[str, int | str]:
    """Draw every gene uniformly and independently."""
    return {gene: values[int(rng.integers(len(values)))] for gene, values in genes.items()}


def latin_hypercube(genes: Genes, count: int, rng: np.random.Generator) -> list[Codes]:
    """Draw `count` genotypes so that every allowed value of every gene is used equally often.

    Each gene's axis is cut into `count` strata, every stratum is used once, and the strata of
    different genes are combined at random. Both ends of every range are reached.
    """
    columns: dict[str, list[int | str]] = {}
    for gene, values in genes.items():
        strata = rng.permutation(count)
        positions = (strata + rng.random(count)) / count * len(values)
        columns[gene] = [values[min(int(position), len(values) - 1)] for position in positions]
    return [{gene: column[row] for gene, column in columns.items()} for row in range(count)]


def other_values(values: tuple[int | str, ...], value: int | str) -> tuple[int | str, ...]:
    """Where a gene can move from a value: numbers one step up or down, names to any other name."""
    position = values.index(value)
    if all(isinstance(known, int) for known in values):
        return tuple(
            values[near] for near in (position - 1, position + 1) if 0 <= near < len(values)
        )
    return values[:position] + values[position + 1 :]


def mutated(genes: Genes, codes: Codes, rng: np.random.Generator) -> dict[str, int | str]:
    """Move one gene that has a choice by one step and leave all others as they are."""
    free = [gene for gene, values in genes.items() if len(values) > 1]
    if not free:
        return dict(codes)
    gene = free[int(rng.integers(len(free)))]
    near = other_values(genes[gene], codes[gene])
    return {**codes, gene: near[int(rng.integers(len(near)))]}


def neighbours(genes: Genes, codes: Codes) -> Iterator[dict[str, int | str]]:
    """Every genotype that is one move of one gene away, gene by gene."""
    for gene, values in genes.items():
        for value in other_values(values, codes[gene]):
            yield {**codes, gene: value}


def new_by_mutation(
    problem: Problem, parent: Codes, known: Container[str], rng: np.random.Generator
) -> Realised | None:
    """Move genes of a network until it is one that is not known; a move without effect is undone.

    Returns:
        The network with the moved genotype as it is, genes without part in it included; None if
        every attempt led to known networks or to none.
    """
    start = problem.identify(parent)
    codes: Codes = dict(parent)
    for _ in range(ATTEMPTS):
        changed = mutated(problem.genes, codes, rng)
        found = problem.identify(changed)
        if found is None or (start is not None and found.key == start.key):
            continue
        if found.key not in known:
            return replace(found, codes=changed)
        codes = changed  # a known network: go on from there
    return None


def new_at_random(
    problem: Problem, known: Container[str], rng: np.random.Generator
) -> Realised | None:
    """Draw genotypes until one is a network that is not known; None after too many attempts."""
    for _ in range(ATTEMPTS):
        found = problem.identify(random_codes(problem.genes, rng))
        if found is not None and found.key not in known:
            return found
    return None
