# SPDX-License-Identifier: Apache-2.0
"""Networks that predict splats: two or three images to `Splats` in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.grouping import encode_grouped, on_device
from dens3r_ros.engines.precision import choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, normalise, resample
from dens3r_ros.engines.protocol import EngineInfo, Features
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine, sizing_of
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.descendants.noposplat import NoPoSplat
from dens3r_ros.network.descendants.splatt3r import Splatt3R
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.splats.splats import Splats

FRAME = "first view"
"""The frame of what these engines give: the optical frame of the first image."""


@runtime_checkable
class SplattingEngine(Protocol):
    """Encodes frames once, and turns some of them together into splats."""

    info: EngineInfo

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, once."""
        ...

    def splats(self, features: Sequence[Features]) -> Splats:
        """Splats of all pixels, in the optical frame of the first."""
        ...


class PairSplatting(TorchEngine):
    """A Splatt3R: an engine of pairs that gives splats too, in metres."""

    mixed_sizes = False

    def __init__(
        self, network: Splatt3R, config: TorchConfig | None = None, model: str = ""
    ) -> None:
        digest = fingerprint(network)
        super().__init__(network.network, config, model or network.FAMILY)
        self.whole = network.to(self.device).eval().requires_grad_(False)
        self.info = replace(self.info, model_hash=digest)

    def splats(self, features: Sequence[Features]) -> Splats:
        """Splats of two images."""
        _check_views(features, 2, 2, self.info.model)
        tokens = [one.data.tokens for one in features]
        images = [_image(one, self.device) for one in features]
        found: list[PixelSplats] = []
        with torch.inference_mode():
            states = self.network.decode(*tokens)
            prediction = self.network.predict(*states)
            for view, points in (("a", prediction.points_a), ("b", prediction.points_b)):
                assert points is not None
                n = len(found)
                found.append(self.whole.splats(states[n], images[n], points, view))  # type: ignore[arg-type]
        return _joined(found, self.info.metric)


@dataclass(frozen=True, eq=False)
class CameraTokens:
    """An image's tokens, the camera's among them."""

    tokens: Tokens


class ViewSplatting:
    """A NoPoSplat: splats of two or three images with intrinsics, up to scale, and nothing else."""

    def __init__(
        self, network: NoPoSplat, config: TorchConfig | None = None, model: str = ""
    ) -> None:
        self.config = config or TorchConfig()
        self.device = choose_device(self.config.device)
        network.set_backbone_dtype(choose_precision(self.config.precision, self.device, int8=False))
        self.sizing = sizing_of(network.info, self.config.max_side)
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.info = EngineInfo(
            name="splatting",
            model=model or network.FAMILY,
            model_hash=fingerprint(network),
            patch=network.info.patch,
            image_size=self.sizing.long_side,
            metric=False,
            monocular=False,
            normals=False,
            descriptors=False,
            device=str(self.device),
            guided=True,
            views=3,
        )

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame; ValueError for one without intrinsics, which the network looks at."""
        if any(frame.intrinsics is None for frame in frames):
            raise ValueError(f"{self.info.model} needs the intrinsics of every image")
        return encode_grouped(
            frames,
            self.sizing,
            self.config.exact,
            self._encode,
            lambda tokens, item: CameraTokens(tokens),
            self.device,
        )

    def splats(self, features: Sequence[Features]) -> Splats:
        """Splats of two or three images."""
        _check_views(features, 2, 3, self.info.model)
        images = [_image(one, self.device) for one in features]
        with torch.inference_mode():
            states = self.network.decode([one.data.tokens for one in features])
            return _joined([self.network.splats(states, images)], metric=False)

    def _encode(self, prepared: Sequence[Prepared]) -> list[Tokens]:
        images = normalise(on_device(prepared, self.device))
        cameras = torch.stack([_normalised(item.intrinsics) for item in prepared])
        with torch.inference_mode():
            tokens = self.network.encode(images, cameras.to(self.device))
        return [Tokens(one.clone(), tokens.grid) for one in tokens.data.split(1)]


def _normalised(camera: Intrinsics | None) -> Tensor:
    """(3, 3) with rows in widths and heights of the image, whose pixel centres lie at halves."""
    assert camera is not None
    K = camera.K
    K[0, 2] += 0.5
    K[1, 2] += 0.5
    size = np.array([[camera.width], [camera.height], [1]])
    return torch.from_numpy(K / size).float()


def _image(features: Features, device: torch.device) -> Tensor:
    """(1, 3, H, W) in [-1, 1] on the engine's pixels."""
    pixels = resample(features.frame.image, features.placement)
    return normalise(torch.from_numpy(pixels[None]).to(device))


def _check_views(features: Sequence[Features], least: int, most: int, model: str) -> None:
    if not least <= len(features) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"{model} makes splats of {wanted} images, not of {len(features)}")
    sizes = sorted({f"{f.placement.size[1]}x{f.placement.size[0]}" for f in features})
    if len(sizes) > 1:
        raise ValueError(f"images that are splatted together must have one size: {sizes}")


def _joined(parts: Sequence[PixelSplats], metric: bool) -> Splats:
    """Splats of all pixels of all views, view by view and row by row."""

    def array(name: str, ends: int) -> np.ndarray:
        flat = [getattr(part, name).float() for part in parts]
        shaped = [one.reshape(-1, *one.shape[one.ndim - ends :]) for one in flat]
        return torch.cat(shaped).cpu().numpy()

    rotations = array("rotations", 1)
    length = np.linalg.norm(rotations, axis=1, keepdims=True).clip(1e-8)
    return Splats(
        array("means", 1),
        np.log(array("scales", 1).clip(1e-30)),
        rotations / length,
        array("opacities", 0),
        np.ascontiguousarray(array("harmonics", 2).swapaxes(1, 2)),
        FRAME,
        metric,
    )
