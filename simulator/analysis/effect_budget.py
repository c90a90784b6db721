"""Which effect the error of a tile comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from analognas.simulator.analysis.effects import active_effects, only_effects, without_effects
from analognas.simulator.analysis.mvm_error import (
    ErrorSummary,
    MvmWorkload,
    error_from_root,
    summarise,
)
from analognas.simulator.hardware import Hardware
from analognas.simulator.streams import draw_root

Progress = Callable[[int, int, str], None]  # done, total, message


@dataclass(frozen=True)
class EffectError:
    """Error of a tile with one effect alone, and with every effect but this one."""

    effect: str
    t_s: float
    alone: ErrorSummary
    without: ErrorSummary
    total: ErrorSummary  # with every effect

    @property
    def share(self) -> float:
        """Part of the squared error that goes with the effect, `1 - without^2 / total^2`.

        Squares of independent errors add up, then the shares of all effects make 1. Negative if the
        effect hides some of another's error.
        """
        if self.total.mean == 0:
            return 0.0
        return 1 - (self.without.mean / self.total.mean) ** 2


def effect_budget(
    hardware: Hardware,
    *,
    times_s: Sequence[float] = (1.0,),
    chips: int = 5,
    workload: MvmWorkload | None = None,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> tuple[EffectError, ...]:
    """Measure the error of a synthetic matrix with each effect alone and with each one removed.

    All variants hold the same weights, see the same inputs and draw the same random numbers, so
    that their differences are those of the effects.

    Args:
        hardware: Its active effects are taken apart (`active_effects`).
        times_s: Seconds after programming.
        chips: Simulated chips of every variant.
        workload: Weights and inputs.
        generator: Advanced once.
        progress: Told how many variants are done.

    Returns:
        One record per time and active effect, times varying slowest.
    """
    effects = active_effects(hardware)
    root, work = draw_root(generator), workload or MvmWorkload()
    done = 0

    def measure(variant: Hardware, message: str) -> tuple[ErrorSummary, ...]:
        nonlocal done
        if progress is not None:
            progress(done, 1 + 2 * len(effects), message)
        done += 1
        errors = error_from_root(
            variant,
            times_s=times_s,
            chips=chips,
            workload=work,
            root=root,
            device=generator.device,
        )
        return summarise(errors)

    total = measure(hardware, "all effects")
    alone = {name: measure(only_effects(hardware, [name]), f"{name} alone") for name in effects}
    rest = {name: measure(without_effects(hardware, [name]), f"no {name}") for name in effects}
    if progress is not None:
        progress(done, done, "")
    return tuple(
        EffectError(name, t_s, alone[name][time], rest[name][time], total[time])
        for time, t_s in enumerate(times_s)
        for name in effects
    )
