"""A crossbar tile on many simulated chips: programmed, aged, read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from analognas.simulator.circuit import effective_weight
from analognas.simulator.compensation.global_drift import ideal_magnitude, read_out_magnitude
from analognas.simulator.conductance_mapping import (
    from_conductances,
    pair_unit_uS,
    to_conductances,
)
from analognas.simulator.devices import draw_ageing, program_conductance, read_conductance
from analognas.simulator.faults import apply_faults, draw_faults, draw_stuck_levels
from analognas.simulator.hardware import Hardware
from analognas.simulator.kernels import Columns
from analognas.simulator.mapping import TileBlock
from analognas.simulator.mvm import TileReading, column_numbers
from analognas.simulator.output_stage import ColumnVariation, OutputStage, draw_column_variation
from analognas.simulator.programming import (
    ProgrammingLog,
    ProgrammingMethod,
    Statistical,
    write_tile,
)
from analognas.simulator.streams import NoiseStream, spawn_generator

STATISTICAL = Statistical()

Places = int | slice  # of one chip among those programmed, or of several to be read at once


@dataclass(frozen=True)
class Draws:
    """Where the random numbers of a tile come from.

    Args:
        chips: Numbers of the chips; a chip's draws depend on its number alone.
        root: Seed of the tree of random streams.
        name: Path of the tile in that tree.
    """

    chips: Sequence[int]
    root: int
    name: str

    def generator(self, chip: int, *path: str, device: torch.device) -> torch.Generator:
        return spawn_generator(self.root, self.name, chip, *path, device=device)


class CrossbarTile(nn.Module):
    """One tile of a layer, the same target weights on every chip.

    A weight is D cells (`ConductanceMapping`), by default a pair of which one is programmed to
    `|w| g_max` and the other to zero; every cell carries its own noise, ages in its own way, and
    keeps that. Weights are divided by the largest of their column, so that every column uses the
    whole conductance range.

    After `program`, with K chips, D cells per weight, C columns, R rows:
        g_programmed_uS, ageing: `(K, D, C, R)`; g+ before g-.
        weight: `(K, C, R)`, normalised weight that a read sees at the present time.
        column_scale: `(C,)`; drift_gain: `(K, 1)` or `(K, C)`, the digital factor of the drift
            compensation.
        digital_gain, digital_offset: `(K, C)`, fitted by a programming method; the offset is
            normalised and comes after the gain.
        fault_map, stuck_level: as `g_programmed_uS`, only where cells may be stuck.
        variations: `(K, 6, C)` the fields of `ColumnVariation`, only with an output stage.
        wire_offset: `(K, C)`, constant part of the outputs, only with a circuit of held cells.
        g_uS: `(K, D, C, R)`, only with a circuit that cuts idle cells off.
    """

    g_programmed_uS: Tensor
    ageing: Tensor
    weight: Tensor
    column_scale: Tensor
    drift_gain: Tensor
    baseline: Tensor
    digital_gain: Tensor
    digital_offset: Tensor
    fault_map: Tensor
    stuck_level: Tensor
    variations: Tensor
    wire_offset: Tensor
    g_uS: Tensor
    _place: Tensor

    def __init__(
        self, block: TileBlock, hardware: Hardware, *, like: Tensor, rows: int | None = None
    ) -> None:
        """Prepare an empty tile.

        Args:
            block: Its place in the layer's matrix.
            hardware: Cells, converters, compensation.
            like: The layer's weights, whose device and type the chips get.
            rows: Fewer than those of `block` if its columns are never driven by all of them.
        """
        super().__init__()
        # Moves with the layer, so that loaded chips know where to.
        self.register_buffer("_place", like.detach().new_empty(0), persistent=False)
        self.block = block
        self.rows = rows or block.rows
        self.hardware = hardware
        self.logs: list[ProgrammingLog] = []  # by chip, where pulses were simulated

    def program(
        self,
        target: Tensor,
        draws: Draws,
        *,
        factory: Draws | None = None,
        method: ProgrammingMethod = STATISTICAL,
    ) -> None:
        """Write `target` `(C, R)` to every chip and take the baseline of the drift compensation.

        Args:
            target: Logical weights of this tile.
            draws: Random streams of this programming.
            factory: Those that made the chips: stuck cells and errors of the columns; `draws` by
                default.
            method: How the cells get their conductances.
        """
        mapping = self.hardware.mapping
        largest = target.abs().amax(dim=1)
        if mapping.scaling == "layer":
            largest = largest.amax().expand_as(largest).clone()
        scale = torch.where(largest > 0, largest, torch.ones_like(largest))
        normalised = target / scale[:, None]
        self.register_buffer("column_scale", scale)
        self._make_chips(factory or draws)
        device = self.hardware.device
        g_target_uS = to_conductances(normalised, device, mapping)
        # One chip after another into place: the memory of all chips is needed once only.
        cells = g_target_uS.new_empty(len(draws.chips), *g_target_uS.shape)
        self.register_buffer("g_programmed_uS", cells)
        self.register_buffer("ageing", torch.empty_like(cells))
        ones = target.new_ones(len(draws.chips), len(scale))
        self.register_buffer("digital_gain", ones)
        self.register_buffer("digital_offset", torch.zeros_like(ones))
        self.logs = []
        for index, chip in enumerate(draws.chips):
            writing = draws.generator(chip, "programming", device=target.device)
            held_uS = g_target_uS
            if isinstance(method, Statistical):
                cells[index] = program_conductance(device, g_target_uS, generator=writing)
            else:
                written = self._write_by_pulses(normalised, method, index, generator=writing)
                # Pulses may leave a cell far from its target: it drifts as what it holds.
                held_uS = written.clamp(device.g_min_uS, device.g_max_uS)
            drifting = draws.generator(chip, "drift", device=target.device)
            self.ageing[index] = draw_ageing(device, held_uS, generator=drifting)
        gains = target.new_ones(len(draws.chips), 1)
        self.register_buffer("drift_gain", gains)
        self.register_buffer("baseline", gains.clone())
        self._age(0.0, draws)
        if self.hardware.compensation == "gdc_exact":
            self.baseline = ideal_magnitude(normalised, self.hardware).expand_as(gains).clone()
            self.drift_gain = self.baseline / self._read_out(0.0, draws)
        elif self.hardware.compensation != "none":
            self.baseline = self._read_out(0.0, draws)

    def _write_by_pulses(
        self,
        normalised: Tensor,
        method: ProgrammingMethod,
        index: int,
        *,
        generator: torch.Generator,
    ) -> Tensor:
        """Write the chip at place `index`; returns what its cells hold, `(D, C, R)`."""
        written = write_tile(
            normalised,
            self.hardware,
            method,
            variation=self._variation(index),
            generator=generator,
        )
        self.g_programmed_uS[index] = written.g_uS
        self.digital_gain[index] = written.gain
        self.digital_offset[index] = written.offset
        assert written.log is not None
        self.logs.append(written.log)
        return written.g_uS

    def set_time(self, t_s: float, draws: Draws) -> None:
        """Age the cells to `t_s` seconds after programming and compensate the drift."""
        self._age(t_s, draws)
        if self.hardware.compensation != "none":
            self.drift_gain = self.baseline / self._read_out(t_s, draws)

    def digital_scale(self, places: Places) -> Tensor:
        """Factor from normalised to logical outputs, `(C,)` of a chip, `(K, C)` of several."""
        return self.column_scale * self.drift_gain[places] * self.digital_gain[places]

    def reading(self, places: Places, columns: Columns) -> TileReading:
        """The tile of the chips at `places`, ready to be read with `columns`."""
        variation = self._variation(places)
        if variation is not None and self.hardware.output_stage.noise_spread > 0:
            per_unit = columns.gain
            columns = columns.changed(noise=variation.output_noise * per_unit)
        reading = TileReading(self.weight[places], columns, variation)
        circuit = self.hardware.circuit
        if circuit is None:
            return reading
        if circuit.idle == "held":
            offset = self.wire_offset[places]
            return replace(reading, wire_offset=offset if offset.dim() == 1 else offset[:, None])
        return replace(reading, g_uS=self.g_uS[places])

    def _variation(self, places: Places) -> ColumnVariation | None:
        """Errors of the columns, `(C,)` of one chip, `(K, 1, C)` of several."""
        if self.hardware.output_stage == OutputStage():
            return None
        values = self.variations[places]
        if values.dim() == 2:
            return ColumnVariation(*values.unbind(0))
        return ColumnVariation(*values[:, :, None].unbind(1))

    def _make_chips(self, factory: Draws) -> None:
        """Draw what no programming changes: stuck cells and errors of the columns."""
        hardware, scale = self.hardware, self.column_scale
        if hardware.output_stage != OutputStage():
            drawn = [
                draw_column_variation(
                    self.block.columns,
                    hardware.output_stage,
                    hardware.converters,
                    generator=factory.generator(chip, "columns", device=scale.device),
                    dtype=scale.dtype,
                )
                for chip in factory.chips
            ]
            self.register_buffer("variations", torch.stack([one.stacked() for one in drawn]))
        if hardware.faults.stuck > 0:
            shape = (hardware.mapping.cells_per_weight, self.block.columns, self.rows)
            maps, levels = [], []
            for chip in factory.chips:
                kinds = factory.generator(chip, "faults", device=scale.device)
                maps.append(draw_faults(shape, hardware.faults, generator=kinds))
                where = factory.generator(chip, "stuck levels", device=scale.device)
                levels.append(draw_stuck_levels(shape, dtype=scale.dtype, generator=where))
            self.register_buffer("fault_map", torch.stack(maps))
            self.register_buffer("stuck_level", torch.stack(levels))

    def _age(self, t_s: float, draws: Draws) -> None:
        circuit, device = self.hardware.circuit, self.hardware.device
        chips, _, columns, rows = self.g_programmed_uS.shape
        fresh = self.g_programmed_uS.new_empty
        self.register_buffer("weight", fresh(chips, columns, rows))
        if circuit is not None and circuit.idle == "held":
            self.register_buffer("wire_offset", fresh(chips, columns))
        if circuit is not None and circuit.idle == "cut_off":
            self.register_buffer("g_uS", torch.empty_like(self.g_programmed_uS))
        for index, chip in enumerate(draws.chips):
            g_uS = self._conductances(index, t_s, draws, chip)
            if circuit is not None and circuit.idle == "held":
                unit_uS = pair_unit_uS(device, self.hardware.mapping)
                wired = effective_weight(g_uS[0], g_uS[1], circuit, unit_uS=unit_uS)
                self.weight[index], self.wire_offset[index] = wired.weight, wired.offset
                continue
            self.weight[index] = from_conductances(g_uS, device, self.hardware.mapping)
            if circuit is not None:
                self.g_uS[index] = g_uS

    def _conductances(self, index: int, t_s: float, draws: Draws, chip: int) -> Tensor:
        """All cells of a chip at `t_s`, `(D, C, R)`."""
        device = self.hardware.device
        generator = draws.generator(chip, "1/f", repr(t_s), device=self.ageing.device)
        g_uS = read_conductance(
            device,
            self.g_programmed_uS[index],
            self.ageing[index],
            t_s=t_s,
            generator=generator,
        )
        if self.hardware.faults.stuck > 0:
            g_uS = apply_faults(g_uS, self.fault_map[index], self.stuck_level[index], device)
        return g_uS

    def _read_out(self, t_s: float, draws: Draws) -> Tensor:
        columns = column_numbers(
            self.hardware,
            scale=torch.ones_like(self.column_scale),
            noise=self.hardware.converters.output_noise,
            read_noise=self.hardware.weight_read_noise,
        )
        magnitudes = []
        for index, chip in enumerate(draws.chips):
            stream = NoiseStream(
                draws.root,
                draws.name,
                chip,
                "compensation",
                repr(t_s),
                device=self.weight.device,
            )
            magnitude = read_out_magnitude(self.reading(index, columns), self.hardware, stream)
            magnitudes.append(magnitude.reshape(-1))
        return torch.stack(magnitudes)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Make room for what `program` has written."""
        has_chips = prefix + "g_programmed_uS" in state_dict
        needs_errors = self.hardware.output_stage != OutputStage()
        if has_chips and needs_errors and prefix + "variations" not in state_dict:
            raise ValueError(
                f"A state with chips must hold the errors of their columns, but {prefix}variations "
                "is missing: an older version has written it. Program the chips again."
            )
        for name in CrossbarTile.__annotations__:
            stored = state_dict.get(prefix + name)
            if stored is not None:
                self.register_buffer(name, room_for(stored, self._place))
        super()._load_from_state_dict(state_dict, prefix, *args)


def room_for(stored: Tensor, like: Tensor) -> Tensor:
    """An empty tensor for a stored one, on the device of `like` and, if not whole, of its type."""
    dtype = like.dtype if stored.is_floating_point() else stored.dtype
    return torch.empty_like(stored, dtype=dtype, device=like.device)
