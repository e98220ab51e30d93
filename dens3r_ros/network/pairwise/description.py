# SPDX-License-Identifier: Apache-2.0
"""What a network of the family is made of: one description from which all of them are built."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Family = Literal["dust3r", "mast3r", "dens3r"]
HeadKind = Literal["linear", "dpt"]
PointsMode = Literal["exp", "linear", "square"]


@dataclass(frozen=True)
class TransformerSize:
    """Sizes of a stack of transformer blocks."""

    width: int
    depth: int
    heads: int
    mlp_width: int

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.heads, self.mlp_width) < 1:
            raise ValueError(f"sizes of a transformer are positive, unlike those of {self}")
        if self.width % self.heads or (self.width // self.heads) % 4:
            raise ValueError(
                f"{self.heads} heads do not divide the width {self.width} into multiples of 4 "
                "channels, which rotary position embedding in two axes needs"
            )


@dataclass(frozen=True)
class DptSize:
    """Channel counts of a dense prediction (DPT) head.

    `reduced_dim` is that of the map that is enlarged to the size of the image; `last_dim`, that
    of the last but one layer, where it is None.
    """

    feature_dim: int = 256
    last_dim: int = 128
    layer_dims: tuple[int, int, int, int] = (96, 192, 384, 768)
    reduced_dim: int | None = None


@dataclass(frozen=True)
class ConfidenceRange:
    """Confidence is `minimum + exp(raw)`, and at most `maximum` where that is given."""

    minimum: float = 1.0
    maximum: float | None = None


@dataclass(frozen=True)
class DescriptorSize:
    """The per-pixel descriptor head: an MLP on tokens.

    `confidence` is None where the descriptors have no confidence of their own and share that of
    the points.
    """

    dim: int = 24
    mlp_width: int = 7168
    confidence: ConfidenceRange | None = ConfidenceRange(0.0)


@dataclass(frozen=True)
class BackboneSize:
    """Encoder and decoder alone; fields are as in `NetworkDescription`."""

    encoder: TransformerSize
    decoder: TransformerSize
    patch: int = 16
    rope_base: float = 100.0
    rope_grid: int | None = None
    shared_decoder: bool = False


@dataclass(frozen=True)
class NetworkDescription:
    """Everything needed to build a network, but its weights.

    rope_grid       long side, in patches, to whose span the positions of every image are
                    stretched; None where positions are plain patch indices
    shared_decoder  one decoder for both views instead of one each
    hooks           decoder layers that a DPT head reads, coarse last: 0 is the encoder's output,
                    k the state after block k
    points          how raw outputs become points; None where there are none
    confidence      None where the points have no confidence
    training_size   (width, height) of the largest training images, pixels
    turn_portraits  whether portrait images should be turned to landscape (see `portrait.py`)
    """

    family: Family
    encoder: TransformerSize
    decoder: TransformerSize
    patch: int = 16
    rope_base: float = 100.0
    rope_grid: int | None = None
    shared_decoder: bool = False
    head: HeadKind = "dpt"
    dpt: DptSize = DptSize()
    hooks: tuple[int, int, int, int] = (0, 6, 9, 12)
    points: PointsMode | None = "exp"
    confidence: ConfidenceRange | None = ConfidenceRange()
    descriptors: DescriptorSize | None = None
    normals: bool = False
    metric: bool = False
    training_size: tuple[int, int] = (512, 512)
    turn_portraits: bool = False
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if self.points is None and not self.normals:
            raise ValueError("a network needs points or normals as output")
        if self.points is None and self.descriptors is not None:
            raise ValueError("descriptors come with points only")
        if self.head == "dpt":
            _check_hooks(self.hooks, self.decoder.depth)

    @property
    def kept_layers(self) -> tuple[int, ...]:
        """The decoder layers that heads read."""
        hooks = set(self.hooks) if self.head == "dpt" else set()
        return tuple(sorted(hooks | {0, self.decoder.depth}))

    def layer_width(self, layer: int) -> int:
        """Channels of a decoder layer; layer 0 is the encoder's output."""
        return self.encoder.width if layer == 0 else self.decoder.width

    def to_json(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NetworkDescription:
        """The inverse of `to_json`; raises ValueError, naming what is wrong."""
        try:
            return _from_dict(json.loads(text))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a network description: {error}") from error


def published_hooks(decoder_depth: int) -> tuple[int, int, int, int]:
    """The layers that DPT heads of the published networks read."""
    return (0, decoder_depth * 2 // 4, decoder_depth * 3 // 4, decoder_depth)


def _check_hooks(hooks: tuple[int, ...], depth: int) -> None:
    rising = all(a < b for a, b in itertools.pairwise(hooks))
    if len(hooks) != 4 or not rising or hooks[0] < 0 or hooks[-1] > depth:
        raise ValueError(
            f"a DPT head reads four rising layers between 0 and {depth}, not {tuple(hooks)}"
        )


def _from_dict(values: dict[str, Any]) -> NetworkDescription:
    values = dict(values)
    values["encoder"] = TransformerSize(**values["encoder"])
    values["decoder"] = TransformerSize(**values["decoder"])
    dpt = values["dpt"]
    values["dpt"] = DptSize(**{**dpt, "layer_dims": tuple(dpt["layer_dims"])})
    values["hooks"] = tuple(values["hooks"])
    values["training_size"] = tuple(values["training_size"])
    values["confidence"] = _confidence_from_dict(values["confidence"])
    if values["descriptors"] is not None:
        inner = values["descriptors"]
        confidence = _confidence_from_dict(inner["confidence"])
        values["descriptors"] = DescriptorSize(**{**inner, "confidence": confidence})
    return NetworkDescription(**values)


def _confidence_from_dict(values: dict[str, Any] | None) -> ConfidenceRange | None:
    return None if values is None else ConfidenceRange(**values)


def outputs_of(description: NetworkDescription) -> tuple[str, ...]:
    """Names of the maps that a network gives of each view."""
    given = {
        "points": description.points is not None,
        "confidence": description.points is not None and description.confidence is not None,
        "descriptors": description.descriptors is not None,
        "descriptor_confidence": description.descriptors is not None
        and (description.descriptors.confidence or description.confidence) is not None,
        "normals": description.normals,
    }
    return tuple(name for name, is_given in given.items() if is_given)
