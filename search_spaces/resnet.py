"""The space `resnet`: the macro-architecture of AnalogNAS (Benmeziane 2023), scaled to TinyML."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar

import numpy as np

from analognas.search_spaces.architecture import (
    Architecture,
    Block,
    Convolution,
    InputShape,
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
from analognas.search_spaces.residual import (
    KINDS,
    SINGLE_STAGE_KINDS,
    block_stride,
    kind_of,
    residual_block,
)

SMALLEST_MAP = 3  # a main block looks further than one position along one axis at least


@dataclass(frozen=True, kw_only=True)
class ResNetOptions:
    """What the genes of the space can choose from (ascending where there is an order).

    AnalogNAS allows 1-16 residual blocks and 1-12 branches per main block; the limits here suit
    networks of a few hundred thousand parameters.
    """

    stem_kernels: tuple[str, ...] = ("3x3", "5x5", "7x3", "10x4")
    stem_widths: tuple[int, ...] = (8, 12, 16, 24, 32, 48, 64, 96, 128)
    strides: tuple[int, ...] = (1, 2)
    max_main_blocks: int = 5
    kinds: tuple[str, ...] = KINDS
    widenings: tuple[int, ...] = (1, 2, 3, 4)
    branches: tuple[int, ...] = (1, 2, 3, 4)
    blocks: tuple[int, ...] = (1, 2, 3, 4)
    max_width: int = 256

    def __post_init__(self) -> None:
        check_options(self)
        if not set(self.kinds) <= set(KINDS):
            raise ValueError(f"`kinds` must be some of {', '.join(KINDS)}, but got {self.kinds}.")
        if set(self.kinds) <= set(SINGLE_STAGE_KINDS) and self.branches == (1,):
            raise ValueError(
                "`kinds` must hold A or B, or `branches` more than 1, "
                f"but got {self.kinds} and {self.branches}."
            )
        if self.widenings[0] != 1:
            raise ValueError(f"`widenings` must begin with 1, but got {self.widenings}.")
        if self.max_main_blocks < 1 or self.max_width < self.stem_widths[-1]:
            raise ValueError(
                "`max_main_blocks` must be at least 1 and `max_width` at least the widest stem, "
                f"but got {self.max_main_blocks} and {self.max_width}."
            )


@dataclass(frozen=True)
class _Level:
    """Where a main block begins."""

    index: int  # 1 for the first main block
    width: int
    size: Size


class ResNetSpace(FamilySpace):
    """A stem and one to five main blocks of residual blocks with parallel branches.

    A main block has one to four residual blocks with one to four branches. The kinds of residual
    block, each branch of it being (`w` is the width of the main block):

    - A, basic: 3x3 to `w`, 3x3 to `w`;
    - B, bottleneck: 1x1 to `w / 2`, 3x3, 1x1 to `w`;
    - C, depthwise-separable: 3x3 depthwise, 1x1 to `w`;
    - D, single: 3x3 to `w`.

    The outputs of the branches and the shortcut are added, then ReLU. The first residual block of a
    main block widens by the widening factor and strides; its shortcut is then a 1x1 projection.
    Along an axis of fewer than three positions the 3x3 kernels have one position and do not stride.

    Two rules make genotypes and networks correspond one to one. A main block after the first
    changes the map or the width (else it would only prolong the one before it). A first main block
    of kind C or D that keeps the shape has at least two branches (with one it would be a stage of
    the space `conv`).
    """

    name: ClassVar[str] = "resnet"
    title: ClassVar[str] = "residual networks with parallel branches, after AnalogNAS"

    def __init__(
        self, input_shape: InputShape, n_classes: int, options: ResNetOptions | None = None
    ) -> None:
        super().__init__(input_shape, n_classes)
        self.options = options or ResNetOptions()
        if not self._stems:
            raise ValueError(
                "The input must hold one of the stem kernels "
                f"{self.options.stem_kernels} and leave a map of three positions, "
                f"but its height and width are {self.input_shape[1:]}."
            )

    @cached_property
    def genes(self) -> Mapping[str, tuple[Gene, ...]]:
        options = self.options
        genes: dict[str, tuple[Gene, ...]] = {
            "stem_kernel": tuple(self._stems),
            "stem_stride": options.strides,
            "stem_width": options.stem_widths,
            "main_blocks": tuple(range(1, options.max_main_blocks + 1)),
        }
        for main in range(1, options.max_main_blocks + 1):
            genes[f"widening_{main}"] = options.widenings
            genes[f"stride_{main}"] = options.strides
            genes[f"kind_{main}"] = options.kinds
            genes[f"branches_{main}"] = options.branches
            genes[f"blocks_{main}"] = options.blocks
        return genes

    # What is possible where: used alike to decode and to count.

    @cached_property
    def _stems(self) -> Mapping[str, tuple[int, ...]]:
        """Possible kernels and, for each, the strides that leave a map of three positions."""
        options, size = self.options, self.input_shape[1:]
        kernels = allowed_kernels(options.stem_kernels, size, options.strides)
        stems = {
            kernel: tuple(
                stride
                for stride in allowed_strides(parse_kernel(kernel), options.strides)
                if max(self._after_stem(kernel, stride)) >= SMALLEST_MAP
            )
            for kernel in kernels
        }
        return {kernel: strides for kernel, strides in stems.items() if strides}

    def _after_stem(self, kernel: str, stride: int) -> Size:
        return output_size(self.input_shape[1:], strides_for(parse_kernel(kernel), stride))

    def _can_stride(self, size: Size) -> bool:
        return (
            2 in self.options.strides
            and max(output_size(size, block_stride(size, 2))) >= SMALLEST_MAP
        )

    def _widenings(self, level: _Level, max_width: int) -> tuple[int, ...]:
        """Empty where no further main block is possible."""
        must_widen = level.index > 1 and not self._can_stride(level.size)
        return tuple(
            widening
            for widening in self.options.widenings
            if widening * level.width <= max_width and not (must_widen and widening == 1)
        )

    def _strides(self, level: _Level, widening: int) -> tuple[int, ...]:
        possible = self.options.strides if self._can_stride(level.size) else (1,)
        if level.index > 1 and widening == 1:
            return (2,)
        return possible

    def _branches(self, level: _Level, kind: str, *, keeps_shape: bool) -> tuple[int, ...]:
        if level.index == 1 and keeps_shape and kind in SINGLE_STAGE_KINDS:
            return tuple(number for number in self.options.branches if number > 1)
        return self.options.branches

    def _kinds(self, level: _Level, *, keeps_shape: bool) -> tuple[str, ...]:
        return tuple(
            kind
            for kind in self.options.kinds
            if self._branches(level, kind, keeps_shape=keeps_shape)
        )

    def random_codes(self, rng: np.random.Generator) -> dict[str, Gene]:
        """Draw genes uniformly, those of branches and blocks up to a cap drawn for the network.

        Without the caps, a network with single branches throughout would hardly ever be drawn.
        """
        codes = super().random_codes(rng)
        for part, values in (("branches", self.options.branches), ("blocks", self.options.blocks)):
            up_to_cap = values[: int(rng.integers(len(values))) + 1]
            for main in range(1, self.options.max_main_blocks + 1):
                codes[f"{part}_{main}"] = up_to_cap[int(rng.integers(len(up_to_cap)))]
        return codes

    def _walk(self, codes: Codes, max_width: int | None = None) -> Architecture:
        options = self.options
        cap = min(options.max_width, max_width or options.max_width)
        kernel_text = pick(codes, "stem_kernel", tuple(self._stems))
        kernel = parse_kernel(kernel_text)
        stem_stride = pick(codes, "stem_stride", self._stems[kernel_text])
        stride = strides_for(kernel, stem_stride)
        width = pick(codes, "stem_width", tuple(w for w in options.stem_widths if w <= cap))
        size = output_size(self.input_shape[1:], stride)
        blocks = [Block((Convolution("conv", width, kernel, stride),))]
        main_blocks = pick(codes, "main_blocks", tuple(range(1, options.max_main_blocks + 1)))
        for main in range(1, main_blocks + 1):
            level = _Level(main, width, size)
            widenings = self._widenings(level, cap)
            if not widenings:
                break
            widening = pick(codes, f"widening_{main}", widenings)
            step = pick(codes, f"stride_{main}", self._strides(level, widening))
            keeps_shape = widening == 1 and step == 1
            kind = pick(codes, f"kind_{main}", self._kinds(level, keeps_shape=keeps_shape))
            allowed = self._branches(level, kind, keeps_shape=keeps_shape)
            branches = pick(codes, f"branches_{main}", allowed)
            for repeat in range(pick(codes, f"blocks_{main}", options.blocks)):
                wider = width * widening if repeat == 0 else width
                blocks.append(
                    residual_block(
                        kind, branches, (width, wider), size, stride=1 if repeat else step
                    )
                )
                width, size = wider, output_size(size, blocks[-1].stride)
        return Architecture(self.name, self.input_shape, tuple(blocks))

    def _read(self, architecture: Architecture) -> dict[str, Gene]:
        codes = {gene: values[0] for gene, values in self.genes.items()}
        stem = architecture.choices[0].convolutions[0]
        codes["stem_kernel"] = "{}x{}".format(*stem.kernel)
        codes["stem_stride"] = max(stem.stride)
        codes["stem_width"] = width = stem.width
        main = 0
        for block in architecture.choices[1:]:
            if main == 0 or block.shortcut == "projection":
                main += 1
                codes[f"widening_{main}"] = block.width // width
                codes[f"stride_{main}"] = max(block.stride)
                codes[f"kind_{main}"] = kind_of(block)
                codes[f"branches_{main}"] = block.branches
                codes[f"blocks_{main}"] = 0
            codes[f"blocks_{main}"] = int(codes[f"blocks_{main}"]) + 1
            width = block.width
        codes["main_blocks"] = main
        return codes

    def count(self) -> int:
        options = self.options

        @cache
        def moves(level: _Level) -> Counter[tuple[int, Size]]:
            """Ways through one main block: (next width, next size) -> number."""
            found: Counter[tuple[int, Size]] = Counter()
            for widening in self._widenings(level, options.max_width):
                for step in self._strides(level, widening):
                    keeps_shape = widening == 1 and step == 1
                    size = output_size(level.size, block_stride(level.size, step))
                    for kind in options.kinds:
                        branches = self._branches(level, kind, keeps_shape=keeps_shape)
                        ways = len(branches) * len(options.blocks)
                        found[level.width * widening, size] += ways
            return found

        @cache
        def networks(level: _Level) -> int:
            """Networks that end here or go on with this main block."""
            if level.index > options.max_main_blocks:
                return 1
            ends_here = 1 if level.index > 1 else 0
            return ends_here + sum(
                ways * networks(_Level(level.index + 1, width, size))
                for (width, size), ways in moves(level).items()
            )

        return sum(
            networks(_Level(1, width, self._after_stem(kernel, stride)))
            for kernel, strides in self._stems.items()
            for stride in strides
            for width in options.stem_widths
        )

    @cached_property
    def named(self) -> Mapping[str, Architecture]:
        """`resnet-small`: the layout of the image-classification reference of MLPerf Tiny.

        A 3x3 stem of 16 filters, then one basic block each at 16, 32 and 64 channels, the last two
        with stride 2 (Banbury 2021, after He 2016).
        """
        codes: dict[str, Gene] = {
            "stem_kernel": "3x3",
            "stem_stride": 1,
            "stem_width": 16,
            "main_blocks": 3,
        }
        for main, (widening, stride) in enumerate([(1, 1), (2, 2), (2, 2)], start=1):
            codes[f"widening_{main}"], codes[f"stride_{main}"] = widening, stride
            codes[f"kind_{main}"], codes[f"branches_{main}"] = "A", 1
            codes[f"blocks_{main}"] = 1
        return {"resnet-small": self._walk(codes)}

    def _shortened(self, codes: Codes) -> Iterator[Codes]:
        """Fewer residual blocks first, then fewer branches, then fewer main blocks."""
        mains = range(1, self.options.max_main_blocks + 1)
        current = dict(codes)
        yield current
        for part, values in (("blocks", self.options.blocks), ("branches", self.options.branches)):
            for limit in reversed(values[:-1]):
                shorter = {
                    **current,
                    **{f"{part}_{m}": min(int(codes[f"{part}_{m}"]), limit) for m in mains},
                }
                if shorter != current:
                    current = shorter
                    yield current
        for main_blocks in range(int(codes["main_blocks"]) - 1, 0, -1):
            yield {**current, "main_blocks": main_blocks}

    def _smallest(self) -> Iterator[Codes]:
        lowest = {gene: values[0] for gene, values in self.genes.items()}
        for kernel in self._stems:
            for stem_stride in self.options.strides:
                for stride in self.options.strides:
                    for kind in self.options.kinds:
                        yield {
                            **lowest,
                            "stem_kernel": kernel,
                            "stem_stride": stem_stride,
                            "stride_1": stride,
                            "kind_1": kind,
                        }

    @property
    def _width_caps(self) -> tuple[int, ...]:
        options = self.options
        widths = {w * f for w in options.stem_widths for f in (1, *options.widenings)}
        return tuple(sorted(w for w in widths if w < options.max_width)) or options.stem_widths
