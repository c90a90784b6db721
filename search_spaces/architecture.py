"""The record of a network: what is built, canonical, hashable and readable as JSON.

A network is a chain of blocks, then global average pooling and one linear head. A block has one or
more parallel branches of the same form, whose outputs are added, and possibly a shortcut that is
added too. The first block is the stem.

An `Architecture` holds the realised network itself, not the genes that led to it. Two genotypes of
the same network are therefore the same record, and a record can be built without knowing the space
that made it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias, get_args

from analognas.search_spaces.geometry import Size, output_size, padding

FORMAT = "analognas architecture"
FORMAT_VERSION = 1

LayerKind: TypeAlias = Literal["conv", "depthwise", "pointwise"]
Shortcut: TypeAlias = Literal["none", "identity", "projection"]
InputShape: TypeAlias = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Convolution:
    """A convolution; batch norm follows, and ReLU except at the end of a residual branch."""

    kind: LayerKind
    width: int  # output channels
    kernel: Size = (1, 1)
    stride: Size = (1, 1)


@dataclass(frozen=True)
class Block:
    """Parallel branches of the same convolutions, added up, with or without a shortcut.

    A projection is a 1x1 convolution with the stride of the block; it is needed when the shape
    changes.
    """

    convolutions: tuple[Convolution, ...]
    branches: int = 1
    shortcut: Shortcut = "none"

    @property
    def width(self) -> int:
        return self.convolutions[-1].width

    @property
    def stride(self) -> Size:
        """Product of the strides of the convolutions."""
        rows = columns = 1
        for convolution in self.convolutions:
            rows *= convolution.stride[0]
            columns *= convolution.stride[1]
        return rows, columns


@dataclass(frozen=True)
class Architecture:
    """A convolutional network for inputs of one shape; the number of classes is left to the task.

    Attributes:
        space: Family that the network belongs to, for example `conv` or `resnet`.
        input_shape: Channels, height, width of one input.
        choices: The blocks from the stem to the last, in order.
        key: Hash of input shape and blocks, 12 hexadecimal digits. Equal networks have equal keys.

    Raises:
        ValueError: The blocks cannot follow each other (sizes, channels, too large kernels).
    """

    space: str
    input_shape: InputShape
    choices: tuple[Block, ...]
    key: str = field(init=False)

    def __post_init__(self) -> None:
        check_network(self.input_shape, self.choices)
        object.__setattr__(self, "key", network_key(self.input_shape, self.choices))

    def __hash__(self) -> int:
        return hash(self.key)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON types; `from_dict` reads it back."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "space": self.space,
            "key": self.key,
            "input_shape": list(self.input_shape),
            "choices": [_block_to_dict(block) for block in self.choices],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Architecture":
        """Read `to_dict()` back and check every part of it.

        A record written by hand may leave the key out.

        Raises:
            ValueError: Foreign or corrupt content, or a key that does not belong to the blocks.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(
                f"An architecture record must have `format` {FORMAT!r}, but got {found!r}. "
                "Give the architecture.json of a run, or the output of Architecture.to_dict()."
            )
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"`format_version` must be {FORMAT_VERSION}, "
                f"but got {data.get('format_version')!r}. "
                "The record was written by another version of analognas."
            )
        known = {"format", "format_version", "space", "key", "input_shape", "choices"}
        _check_names("an architecture", data, required=known - {"key"}, optional={"key"})
        space = data["space"]
        if not isinstance(space, str) or not space:
            raise ValueError(f"`space` must be the name of a family, but got {space!r}.")
        shape = _integers("`input_shape`", data["input_shape"], 3)
        blocks = data["choices"]
        if not isinstance(blocks, list | tuple):
            raise ValueError(f"`choices` must be a list of blocks, but got {blocks!r}.")
        network = cls(
            space,
            (shape[0], shape[1], shape[2]),
            tuple(_block_from_dict(index, block) for index, block in enumerate(blocks)),
        )
        stored = data.get("key", network.key)
        if stored != network.key:
            raise ValueError(
                f"The key of the record must be the hash of its network, {network.key}, "
                f"but got {stored!r}. The record was changed or damaged; restore it, "
                "or delete `key` if the change was meant."
            )
        return network


def network_key(input_shape: InputShape, blocks: tuple[Block, ...]) -> str:
    """Hash of the realised network; it knows neither the number of classes nor the family."""
    content = [
        input_shape,
        [
            [
                block.branches,
                block.shortcut,
                [[c.kind, c.width, c.kernel, c.stride] for c in block.convolutions],
            ]
            for block in blocks
        ],
    ]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def check_network(input_shape: InputShape, blocks: tuple[Block, ...]) -> None:
    """Refuse blocks that do not make a network.

    Raises:
        ValueError: Which block breaks which rule, and how.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(
            "`input_shape` must be three positive integers (channels, height, width), "
            f"but got {input_shape}."
        )
    if not blocks:
        raise ValueError("A network must have at least one block, but got none.")
    channels, size = input_shape[0], (input_shape[1], input_shape[2])
    for index, block in enumerate(blocks):
        try:
            channels, size = _check_block(block, channels, size)
        except ValueError as error:
            raise ValueError(f"Block {index} of the network: {error}") from None


@lru_cache(maxsize=32_768)
def _check_block(block: Block, channels: int, size: Size) -> tuple[int, Size]:
    if not block.convolutions:
        raise ValueError("a block must have at least one convolution, but got none.")
    if block.branches < 1:
        raise ValueError(f"`branches` must be at least 1, but got {block.branches}.")
    if block.branches > 1 and block.shortcut == "none":
        raise ValueError("parallel branches must have a shortcut; use `identity` or `projection`.")
    into, current = channels, size
    for convolution in block.convolutions:
        _check_convolution(convolution, into, current)
        into, current = convolution.width, output_size(current, convolution.stride)
    same_shape = (into, current) == (channels, size)
    if block.shortcut == "identity" and not same_shape:
        raise ValueError(
            f"an identity shortcut must keep the shape, but {channels} channels of {size} become "
            f"{into} of {current}. Use `projection`."
        )
    if block.shortcut == "projection" and same_shape:
        raise ValueError("a projection must change the shape, but it is kept. Use `identity`.")
    return into, current


def _check_convolution(convolution: Convolution, channels: int, size: Size) -> None:
    kernel, stride = convolution.kernel, convolution.stride
    if convolution.width < 1 or min(kernel) < 1:
        raise ValueError(
            f"width and kernel must be at least 1, but got {convolution.width} and {kernel}."
        )
    if kernel[0] > size[0] or kernel[1] > size[1]:
        raise ValueError(
            f"a kernel must not be larger than its map, but {kernel} meets {size}. Shrink it."
        )
    if any(s not in (1, 2) or (s == 2 and k == 1) for s, k in zip(stride, kernel, strict=True)):
        raise ValueError(
            "a stride must be 1, or 2 where the kernel is wider than 1, "
            f"but got {stride} with {kernel}."
        )
    if (convolution.kind == "pointwise") != (kernel == (1, 1)):
        raise ValueError(
            f"`pointwise` is the name of a 1x1 kernel, but got {convolution.kind} with {kernel}."
        )
    if convolution.kind == "depthwise" and convolution.width != channels:
        raise ValueError(
            f"a depthwise layer must keep its {channels} channels, "
            f"but got width {convolution.width}."
        )
    padding(size, kernel, stride)


def _block_to_dict(block: Block) -> dict[str, Any]:
    return {
        "branches": block.branches,
        "shortcut": block.shortcut,
        "convolutions": [
            {
                "kind": convolution.kind,
                "width": convolution.width,
                "kernel": list(convolution.kernel),
                "stride": list(convolution.stride),
            }
            for convolution in block.convolutions
        ],
    }


def _block_from_dict(index: int, data: Any) -> Block:
    where = f"block {index} of `choices`"
    _check_names(where, data, required={"branches", "shortcut", "convolutions"})
    shortcut = data["shortcut"]
    if shortcut not in get_args(Shortcut):
        known = ", ".join(get_args(Shortcut))
        raise ValueError(f"`shortcut` of {where} must be one of {known}, but got {shortcut!r}.")
    if not isinstance(data["convolutions"], list | tuple):
        raise ValueError(
            f"`convolutions` of {where} must be a list, but got {data['convolutions']!r}."
        )
    return Block(
        tuple(_convolution_from_dict(where, item) for item in data["convolutions"]),
        _integer(f"`branches` of {where}", data["branches"]),
        shortcut,
    )


def _convolution_from_dict(where: str, data: Any) -> Convolution:
    where = f"a convolution of {where}"
    _check_names(where, data, required={"kind", "width", "kernel", "stride"})
    kind = data["kind"]
    if kind not in get_args(LayerKind):
        known = ", ".join(get_args(LayerKind))
        raise ValueError(f"`kind` of {where} must be one of {known}, but got {kind!r}.")
    kernel = _integers(f"`kernel` of {where}", data["kernel"], 2)
    stride = _integers(f"`stride` of {where}", data["stride"], 2)
    width = _integer(f"`width` of {where}", data["width"])
    return Convolution(kind, width, (kernel[0], kernel[1]), (stride[0], stride[1]))


def _check_names(
    where: str, data: Any, *, required: set[str], optional: set[str] | None = None
) -> None:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} must be a JSON object, but got {data!r}.")
    names = set(data)
    missing, unknown = required - names, names - required - (optional or set())
    if missing or unknown:
        raise ValueError(
            f"{where} must have the fields {', '.join(sorted(required))}; "
            f"missing: {', '.join(sorted(missing)) or 'none'}; "
            f"unknown: {', '.join(sorted(map(str, unknown))) or 'none'}."
        )


def _integer(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{what} must be a positive integer, but got {value!r}.")
    return value


def _integers(what: str, value: Any, length: int) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ValueError(f"{what} must be {length} positive integers, but got {value!r}.")
    return tuple(_integer(what, item) for item in value)
