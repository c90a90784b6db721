"""Numbers that follow from the published equations by hand."""

from collections.abc import Callable, Iterator

import torch

from analognas.benchmarks.fidelity.laws import DAY_S
from analognas.benchmarks.fidelity.report import Constant
from analognas.simulator.devices import Pcm2019
from analognas.simulator.devices.pcm_laws import drift_conductance, one_over_f_growth
from analognas.simulator.ir_drop import IrDrop, drop_fraction
from analognas.simulator.quantizer import converter_steps


def constants() -> Iterator[Constant]:
    """Numbers of the published equations, worked out by hand to five digits or more."""
    cell = Pcm2019()

    def at(law: Callable[[torch.Tensor], torch.Tensor], r: float) -> float:
        return float(law(torch.tensor(r, dtype=torch.float64)))

    yield Constant("LSB of 8 bits, bound 10", 0.0787402, 20 / converter_steps(8))
    for r, expected in ((0.0, 0.26348), (0.5, 0.952705), (1.0, 1.05538)):
        yield Constant(
            f"programming sigma at r = {r:g}, uS", expected, at(cell.programming_sigma_uS, r)
        )
    for r, expected in ((1.0, 0.049), (0.5, 0.049), (0.1, 0.0600901), (0.01, 0.0957801)):
        yield Constant(f"location of nu at r = {r:g}", expected, at(cell.drift_mean, r))
    for r, expected in ((1.0, 0.008), (0.5, 0.008), (0.1, 0.0228823), (0.01, 0.045)):
        yield Constant(f"spread of nu at r = {r:g}", expected, at(cell.drift_sigma, r))
    one = torch.ones((), dtype=torch.float64)
    drifted = drift_conductance(one, 0.049 * one, t_s=DAY_S, t_ref_s=20.0)
    yield Constant("drift after a day at nu = 0.049", 0.663524, float(drifted))
    for r, expected in ((1.0, 0.0088), (0.1, 0.0393080)):
        yield Constant(f"1/f noise Q_s at r = {r:g}", expected, at(cell.read_noise_fraction, r))
    for t_s, expected in ((0.0, 0.0368177), (DAY_S, 0.0447639)):
        growth = one_over_f_growth(t_s + 20.0, t_read_s=cell.t_read_s)
        yield Constant(f"1/f noise at r = 1, {t_s:g} s", expected, 0.0088 * growth)
    wires = IrDrop(strength=1.0)
    current = 0.1 * one * wires.conductance_ratio / 512
    yield Constant("IR drop c at a = 0.1", 0.04805, float(drop_fraction(current, 512, wires)))
