"""The space `conv`: stacks of convolution stages."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar, Literal

from analognas.search_spaces.architecture import (
    Architecture,
    Block,
    Convolution,
    InputShape,
    Shortcut,
)
from analognas.search_spaces.base import Codes, Gene
from analognas.search_spaces.family import FamilySpace, check_options, pick
from analognas.search_spaces.geometry import (
    Size,
    allowed_kernels,
    allowed_strides,
    output_size,
    parse_kernel,
    strides_for,
)

REGULAR, SEPARABLE, POINTWISE = "regular", "separable", "pointwise"
KINDS = (REGULAR, SEPARABLE, POINTWISE)


@dataclass(frozen=True, kw_only=True)
class ConvOptions:
    """What the genes of the space can choose from (ascending where there is an order)."""

    stages: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    kinds: tuple[str, ...] = KINDS
    kernels: tuple[str, ...] = (
        "1x3",
        "3x1",
        "3x3",
        "5x1",
        "9x1",
        "5x3",
        "5x5",
        "7x3",
        "10x4",
    )
    widths: tuple[int, ...] = (8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 112, 128, 160)
    strides: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        check_options(self)
        if not set(self.kinds) <= set(KINDS):
            raise ValueError(f"`kinds` must be some of {', '.join(KINDS)}, but got {self.kinds}.")
        if POINTWISE not in self.kinds:
            raise ValueError(
                f"`kinds` must hold {POINTWISE!r}, the only kind that suits every map, "
                f"but got {self.kinds}."
            )
        if "1x1" in self.kernels:
            raise ValueError(f"`kernels` must not hold 1x1, which is the kind {POINTWISE!r}.")


class ConvSpace(FamilySpace):
    """Two to eight stages, each with a kind, kernel, stride, width and perhaps a skip connection.

    A stage is a regular convolution, a depthwise one followed by a 1x1 one (`separable`), or a 1x1
    one (`pointwise`, which has neither kernel nor stride). Stage 1 is always regular: a depthwise
    layer on one input channel would be a single filter. A skip adds the input of a stage to its
    output and exists only where stride and width keep the shape. Kernels are at most as large as
    the map at their stage, and a stride of 2 acts along the axes on which the kernel is longer than
    one, so that a 3x1 kernel shrinks the rows alone.
    """

    name: ClassVar[str] = "conv"
    title: ClassVar[str] = "stacks of regular, depthwise-separable and 1x1 convolutions"

    def __init__(
        self, input_shape: InputShape, n_classes: int, options: ConvOptions | None = None
    ) -> None:
        super().__init__(input_shape, n_classes)
        self.options = options or ConvOptions()
        size = self.input_shape[1:]
        self.kernels = allowed_kernels(self.options.kernels, size, self.options.strides)
        if not self.kernels:
            raise ValueError(
                "The input must be at least as large as one of the kernels "
                f"{self.options.kernels}, but its height and width are {size}."
            )

    @cached_property
    def genes(self) -> Mapping[str, tuple[Gene, ...]]:
        options = self.options
        genes: dict[str, tuple[Gene, ...]] = {"stages": options.stages}
        for stage in range(1, options.stages[-1] + 1):
            if stage > 1:
                genes[f"kind_{stage}"] = options.kinds
            genes[f"kernel_{stage}"] = self.kernels
            genes[f"stride_{stage}"] = options.strides
            genes[f"width_{stage}"] = options.widths
            if stage > 1:
                genes[f"skip_{stage}"] = (0, 1)
        return genes

    def _walk(self, codes: Codes, max_width: int | None = None) -> Architecture:
        options = self.options
        widths = tuple(w for w in options.widths if max_width is None or w <= max_width)
        channels, size = self.input_shape[0], self.input_shape[1:]
        blocks: list[Block] = []
        for stage in range(1, pick(codes, "stages", options.stages) + 1):
            kernels = allowed_kernels(self.kernels, size, options.strides)
            kind = REGULAR if stage == 1 else pick(codes, f"kind_{stage}", self._kinds(kernels))
            kernel, stride = (1, 1), (1, 1)
            if kind != POINTWISE:
                kernel = parse_kernel(pick(codes, f"kernel_{stage}", kernels))
                strides = allowed_strides(kernel, options.strides)
                stride = strides_for(kernel, pick(codes, f"stride_{stage}", strides))
            width = pick(codes, f"width_{stage}", widths)
            keeps_shape = stage > 1 and width == channels and stride == (1, 1)
            skip = keeps_shape and bool(pick(codes, f"skip_{stage}", (0, 1)))
            blocks.append(make_stage(kind, (kernel, stride), channels, width, skip=skip))
            channels, size = width, output_size(size, stride)
        return Architecture(self.name, self.input_shape, tuple(blocks))

    def _kinds(self, kernels: tuple[str, ...]) -> tuple[str, ...]:
        return self.options.kinds if kernels else (POINTWISE,)

    def _read(self, architecture: Architecture) -> dict[str, Gene]:
        codes = {gene: values[0] for gene, values in self.genes.items()}
        codes["stages"] = len(architecture.choices)
        for stage, block in enumerate(architecture.choices, start=1):
            kinds = tuple(convolution.kind for convolution in block.convolutions)
            first = block.convolutions[0]
            if stage > 1:
                codes[f"kind_{stage}"] = {
                    ("conv",): REGULAR,
                    ("depthwise", "pointwise"): SEPARABLE,
                    ("pointwise",): POINTWISE,
                }.get(kinds, "unknown")
                codes[f"skip_{stage}"] = int(block.shortcut == "identity")
            if kinds != ("pointwise",):
                codes[f"kernel_{stage}"] = "{}x{}".format(*first.kernel)
                codes[f"stride_{stage}"] = max(first.stride)
            codes[f"width_{stage}"] = block.width
        return codes

    def count(self) -> int:
        options = self.options

        @cache
        def moves(size: Size, first: bool) -> Counter[tuple[Size, bool]]:
            """Ways through a stage but for width and skip: (next size, is size kept) -> number."""
            kernels = allowed_kernels(self.kernels, size, options.strides)
            found: Counter[tuple[Size, bool]] = Counter()
            for kind in (REGULAR,) if first else self._kinds(kernels):
                if kind == POINTWISE:
                    found[size, True] += 1
                    continue
                for kernel in map(parse_kernel, kernels):
                    for stride in allowed_strides(kernel, options.strides):
                        step = strides_for(kernel, stride)
                        found[output_size(size, step), not first and step == (1, 1)] += 1
            return found

        @cache
        def networks(stages: int, size: Size, channels: int, first: bool) -> int:
            if stages == 0:
                return 1
            return sum(
                ways
                * (2 if kept and width == channels else 1)
                * networks(stages - 1, following, width, False)
                for (following, kept), ways in moves(size, first).items()
                for width in options.widths
            )

        channels, size = self.input_shape[0], self.input_shape[1:]
        return sum(networks(stages, size, channels, True) for stages in options.stages)

    @cached_property
    def named(self) -> Mapping[str, Architecture]:
        """`ds-cnn` and `analognet-like`.

        `ds-cnn` is the keyword-spotting reference of MLPerf Tiny (Banbury 2021, after Zhang 2017):
        64 filters of 10x4 with stride 2, then four separable 3x3 stages of 64. `analognet-like`
        follows the rule of AnalogNets (Zhou 2021), wide regular 3x3 convolutions and no depthwise
        layer; the widths and strides are our own choice. On small inputs the kernels shrink to the
        nearest that fit.
        """
        separable = [(SEPARABLE, "3x3", 1, 64)] * 4
        regular = [("3x3", 1, 64), ("3x3", 2, 64), ("3x3", 1, 96), ("3x3", 2, 96)]
        return {
            "ds-cnn": self._stack([(REGULAR, "10x4", 2, 64), *separable]),
            "analognet-like": self._stack(
                [(REGULAR, "3x3", 2, 48), *((REGULAR, *rest) for rest in regular)]
            ),
        }

    def _stack(self, stages: list[tuple[str, str, int, int]]) -> Architecture:
        codes: dict[str, Gene] = {"stages": len(stages)}
        for stage, (kind, kernel, stride, width) in enumerate(stages, start=1):
            codes[f"kind_{stage}"], codes[f"kernel_{stage}"] = kind, kernel
            codes[f"stride_{stage}"], codes[f"width_{stage}"] = stride, width
            codes[f"skip_{stage}"] = 0
        return self._walk(codes)

    def _shortened(self, codes: Codes) -> Iterator[Codes]:
        for stages in reversed(self.options.stages):
            if stages <= pick(codes, "stages", self.options.stages):
                yield {**codes, "stages": stages}

    def _smallest(self) -> Iterator[Codes]:
        shortest = {gene: values[0] for gene, values in self.genes.items()}
        for stage in range(1, self.options.stages[-1] + 1):
            shortest[f"kind_{stage}"] = POINTWISE
        for kernel in self.kernels:
            yield {**shortest, "kernel_1": kernel, "stride_1": self.options.strides[-1]}

    @property
    def _width_caps(self) -> tuple[int, ...]:
        return self.options.widths


def make_stage(
    kind: str, window: tuple[Size, Size], channels: int, width: int, *, skip: bool
) -> Block:
    """One stage as a block; `window` is kernel and stride."""
    kernel, stride = window
    shortcut: Shortcut = "identity" if skip else "none"
    if kind == SEPARABLE:
        depthwise = Convolution("depthwise", channels, kernel, stride)
        return Block((depthwise, Convolution("pointwise", width)), 1, shortcut)
    layer: Literal["conv", "pointwise"] = "pointwise" if kind == POINTWISE else "conv"
    return Block((Convolution(layer, width, kernel, stride),), 1, shortcut)
