"""Cells, one effect at a time, against their closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from analognas.benchmarks.fidelity import laws
from analognas.benchmarks.fidelity.laws import DAY_S, YEAR_S, Moments
from analognas.benchmarks.fidelity.trial import Check, Measure, Trial, moments
from analognas.simulator.devices import (
    AnyDevice,
    Pcm2019,
    PcmHermes,
    ReramCmo,
    ReramWan2022,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.faults import Fault, Faults, draw_faults


def _cells(
    trial: Trial, effect: str, device: AnyDevice, r: float, *, t_s: float | None = None
) -> Tensor:
    """Draws of a cell with target `r`: as programmed, or as read at `t_s`."""
    target_uS = device.g_min_uS + r * (device.g_max_uS - device.g_min_uS)
    target = torch.full((trial.draws,), target_uS, dtype=torch.float64)
    path = (effect, repr(device), repr(r))
    g_uS = program_conductance(device, target, generator=trial.generator(*path, "program"))
    if t_s is None:
        return g_uS
    ageing = draw_ageing(device, target, generator=trial.generator(*path, "age"))
    reading = trial.generator(*path, "read", repr(t_s))
    return read_conductance(device, g_uS, ageing, t_s=t_s, generator=reading)


def _pcm_programming(trial: Trial, effect: str) -> Iterator[Check]:
    for r in (0.0, 0.1, 0.5, 1.0):
        law = laws.clamped_normal(25 * r, laws.pcm_programming_uS(r))
        yield from moments(effect, f"g at r = {r:g}, uS", _cells(trial, effect, Pcm2019(), r), law)


def _pcm_exponents(trial: Trial, effect: str) -> Iterator[Check]:
    for r in (0.01, 0.1, 0.5, 1.0):
        target = torch.full((trial.draws,), 25 * r, dtype=torch.float64)
        nu = draw_ageing(Pcm2019(), target, generator=trial.generator(effect, repr(r)))
        yield from moments(effect, f"nu at r = {r:g}", nu, laws.folded_normal(*laws.pcm_drift(r)))


def _pcm_drift(trial: Trial, effect: str) -> Iterator[Check]:
    device = Pcm2019(programming_noise_scale=0.0, read_noise_scale=0.0)
    for r, t_s in ((0.1, DAY_S), (1.0, DAY_S), (0.1, YEAR_S)):
        log_time = math.log((t_s + 20) / 20)
        law = laws.folded_power(*laws.pcm_drift(r), log_time)
        ratio = _cells(trial, effect, device, r, t_s=t_s) / (25 * r)
        yield from moments(effect, f"g / g_prog at r = {r:g}, {t_s:g} s", ratio, law)


def _pcm_read(trial: Trial, effect: str) -> Iterator[Check]:
    device = Pcm2019(programming_noise_scale=0.0, drift_scale=0.0)
    for r, t_s in ((0.1, 0.0), (1.0, 0.0), (1.0, DAY_S)):
        law = laws.clamped_normal(1.0, laws.pcm_read(r, t_s))
        ratio = _cells(trial, effect, device, r, t_s=t_s) / (25 * r)
        yield from moments(effect, f"g / g_prog at r = {r:g}, {t_s:g} s", ratio, law)


def _hermes(trial: Trial, effect: str) -> Iterator[Check]:
    r = 0.5
    law = laws.clamped_normal(20.7 * r, laws.hermes_programming_uS(r))
    yield from moments(effect, f"g at r = {r:g}, uS", _cells(trial, effect, PcmHermes(), r), law)
    quiet = PcmHermes(programming_noise_scale=0.0, read_noise_scale=0.0)
    ratio = _cells(trial, effect, quiet, r, t_s=DAY_S) / (20.7 * r)
    drift = laws.folded_power(*laws.hermes_drift(r), math.log((DAY_S + 300) / 300))
    yield from moments(effect, f"g / g_prog at r = {r:g}, one day", ratio, drift)


def _wan(trial: Trial, effect: str) -> Iterator[Check]:
    for r, t_s in ((0.25, 1.0), (0.25, DAY_S), (0.75, DAY_S)):
        law = laws.clamped_normal(40 * r, laws.wan_uS(r, t_s))
        g_uS = _cells(trial, effect, ReramWan2022(), r, t_s=t_s)
        yield from moments(effect, f"g at r = {r:g}, {t_s:g} s, uS", g_uS, law)


def _cmo(trial: Trial, effect: str) -> Iterator[Check]:
    quiet = ReramCmo(programming_noise_scale=0.0, read_noise_scale=0.0)
    shift, spread = laws.cmo_relaxation_uS(DAY_S)
    middle = (9.0 + 88.2) / 2
    change = _cells(trial, effect, quiet, 0.5, t_s=DAY_S) - middle
    yield from moments(effect, "g - g_prog, one day, uS", change, Moments(shift, spread))
    coarse = ReramCmo(acceptance="2%")
    law = Moments(middle, 0.0112185391 + 0.01129027418 * middle)
    yield from moments(effect, "g at 2 % acceptance, uS", _cells(trial, effect, coarse, 0.5), law)


def _stuck(trial: Trial, effect: str) -> Iterator[Check]:
    faults = Faults(stuck_at_reset=0.02, stuck_at_g_max=0.01, stuck_at_random=0.005)
    found = draw_faults((trial.draws,), faults, generator=trial.generator(effect))
    for kind, share in ((Fault.RESET, 0.02), (Fault.G_MAX, 0.01), (Fault.RANDOM, 0.005)):
        error = math.sqrt(share * (1 - share) / trial.draws)
        measured = float((found == kind).double().mean())
        yield Check(effect, f"share {kind.name.lower()}", share, measured, error)


CELLS: Mapping[str, Measure] = {
    "programming (PCM 2019)": _pcm_programming,
    "drift exponent (PCM 2019)": _pcm_exponents,
    "drift (PCM 2019)": _pcm_drift,
    "1/f noise (PCM 2019)": _pcm_read,
    "cells of the 64-core chip": _hermes,
    "ReRAM (Wan 2022)": _wan,
    "ReRAM (CMO/HfOx)": _cmo,
    "stuck cells": _stuck,
}
