"""Follow a programmed network through its life."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from analognas.simulator.convert import reprogram, set_time
from analognas.simulator.layers import AnalogModel
from analognas.simulator.programming import ProgrammingMethod


def over_time(
    analog: AnalogModel,
    times_s: Sequence[float],
    *,
    generator: torch.Generator,
    reprogram_every_s: float | None = None,
    method: ProgrammingMethod | str = "statistical",
) -> Iterator[float]:
    """Age the chips through a grid of times; yields each time once the chips are there.

    ```python
    for t_s in over_time(analog, [1.0, 3600.0, 86_400.0], generator=generator):
        print(t_s, accuracy(analog(x)))
    ```

    Args:
        analog: A programmed model.
        times_s: Seconds since the first programming, not decreasing.
        generator: Advanced once per time, and once per programming.
        reprogram_every_s: Write the weights anew at every multiple of this time, which costs energy
            and endurance and takes the drift back to its start.
        method: How they are written then; as in `program`.

    Raises:
        ValueError: The times decrease, or the interval is not positive.
    """
    if any(later < earlier for earlier, later in pairwise(times_s)):
        raise ValueError(
            f"`times_s` must not decrease, but got {list(times_s)}. A chip does not get younger: "
            "sort the times, or program it again."
        )
    if reprogram_every_s is not None and reprogram_every_s <= 0:
        raise ValueError(f"`reprogram_every_s > 0` must hold, but got {reprogram_every_s}.")
    programmed = 0
    for t_s in times_s:
        age_s = t_s
        if reprogram_every_s is not None:
            cycles, age_s = divmod(t_s, reprogram_every_s)
            if cycles > programmed:
                reprogram(analog, generator=generator, method=method)
                programmed = int(cycles)
        set_time(analog, t_s=age_s, generator=generator)
        yield t_s
