# SPDX-License-Identifier: Apache-2.0
"""What a camera makes of the light: blur, vignette, exposure, colour cast, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dens3r_ros.scenes.looks.jpeg import jpeg
from dens3r_ros.scenes.random import RandomStream, mix

_TAPS = 7


@dataclass(frozen=True, eq=False)
class LensEffects:
    """One camera's character per picture, (V,) or (V, 3).

    `exposure` multiplies the light after the automatic one; `cast` per channel; `vignette` is the
    loss in the corners; `defocus` the blur's deviation and `motion` (V, 2) its path, in pixels;
    `noise` the deviation at mid grey, of 1; `quality` of JPEG, 100 meaning none; `contrast` bends
    the tone curve; `seed` (V,) int64 is of the noise.
    """

    exposure: Tensor
    cast: Tensor
    vignette: Tensor
    defocus: Tensor
    motion: Tensor
    noise: Tensor
    quality: Tensor
    contrast: Tensor
    seed: Tensor


def sample_lenses(stream: RandomStream, views: int, height: int, width: int) -> LensEffects:
    """Cameras of (B, views) pictures, flattened; those of one sample are alike but not the same."""
    size = max(height, width) / 128.0
    alike = 0.25

    def near(value: Tensor, spread: Tensor) -> Tensor:
        return (value + alike * spread).flatten(0, 1)

    one, several = (1,), (views,)
    exposure = near(stream.uniform(*one, low=-0.5, high=0.5), stream.normal(*several)).exp2()
    cast = near(stream.normal(1, 3) * 0.08, stream.normal(views, 3) * 0.08).exp2()
    direction = stream.normal(views, 2)
    speed = stream.uniform(views, 1) ** 5 * 3.0 * size
    direction = direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    quality = stream.uniform(views, low=25.0, high=100.0)
    return LensEffects(
        exposure=exposure,
        cast=cast,
        vignette=stream.uniform(1, high=0.45).expand(-1, views).flatten(),
        defocus=(0.35 + 0.75 * size * stream.uniform(views) ** 5).flatten(),
        motion=(direction * speed).flatten(0, 1),
        noise=(0.004 + 0.035 * stream.uniform(1) ** 2).expand(-1, views).flatten(),
        quality=torch.where(stream.chance(0.6, views), quality, 100.0).flatten(),
        contrast=stream.uniform(1, low=0.0, high=0.8).expand(-1, views).flatten(),
        seed=stream.bits(views).flatten(),
    )


def steady_lens(seed: int, index: int) -> LensEffects:
    """A good camera: little noise and blur, no compression, automatic exposure."""
    one = torch.ones(1)
    return LensEffects(
        exposure=one,
        cast=torch.tensor([[1.02, 1.0, 0.98]]),
        vignette=0.15 * one,
        defocus=0.5 * one,
        motion=torch.zeros(1, 2),
        noise=0.008 * one,
        quality=100.0 * one,
        contrast=0.3 * one,
        seed=torch.tensor([seed * 1_000_003 + index]),
    )


def photograph(light: Tensor, lens: LensEffects) -> Tensor:
    """(V, 3, H, W) in [-1, 1], in 256 steps, from (V, 3, H, W) linear light."""
    picture = _blurred(light, lens) * _gains(light, lens)
    grey = picture.clamp(min=0.0).sqrt()
    grey = grey / (1.0 + 0.12 * grey * grey)
    curve = grey.clamp(max=1.0)
    bent = curve * curve * (3.0 - 2.0 * curve)
    tone = curve + lens.contrast[:, None, None, None] * (bent - curve)
    tone = tone + _grain(tone, lens)
    tone = jpeg(tone.clamp(0.0, 1.0), lens.quality)
    return (tone.clamp(0.0, 1.0) * 255.0).round() / 127.5 - 1.0


def _gains(light: Tensor, lens: LensEffects) -> Tensor:
    """(V, 3, H, W) automatic exposure, colour cast and vignette."""
    height, width = light.shape[2:]
    mean = light.clamp(max=4.0).mean((1, 2, 3)).clamp(min=1e-3)
    gain = (0.28 * lens.exposure / mean)[:, None] * lens.cast
    y = torch.linspace(-1.0, 1.0, height, device=light.device)[:, None]
    x = torch.linspace(-1.0, 1.0, width, device=light.device)
    dark = 1.0 - 0.5 * lens.vignette[:, None, None] * (x * x + y * y)
    return gain[..., None, None] * dark[:, None]


def _blurred(light: Tensor, lens: LensEffects) -> Tensor:
    """Defocus and motion as one small kernel per picture."""
    step = torch.arange(_TAPS, device=light.device) - _TAPS // 2
    y, x = torch.meshgrid(step, step, indexing="ij")
    length = lens.motion.norm(dim=1)[:, None, None]
    way = lens.motion / lens.motion.norm(dim=1, keepdim=True).clamp(min=1e-6)
    along = way[:, 0, None, None] * x + way[:, 1, None, None] * y
    across = way[:, 0, None, None] * y - way[:, 1, None, None] * x
    beyond = (along.abs() - 0.5 * length).clamp(min=0.0)
    sharpness = -0.5 / lens.defocus[:, None, None] ** 2
    kernel = ((beyond * beyond + across * across) * sharpness).exp()
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    count, _, height, width = light.shape
    padded = F.pad(light, (_TAPS // 2,) * 4, mode="replicate")
    weights = kernel[:, None, None].expand(-1, 3, -1, -1, -1).reshape(count * 3, 1, _TAPS, _TAPS)
    blurred = F.conv2d(padded.reshape(1, count * 3, *padded.shape[2:]), weights, groups=count * 3)
    return blurred.view(count, 3, height, width)


def _grain(tone: Tensor, lens: LensEffects) -> Tensor:
    """Sensor noise, stronger in bright places of linear light and never absent."""
    height, width = tone.shape[2:]
    pixel = torch.arange(height * width, device=tone.device).view(1, height, width)
    bits = mix(lens.seed[:, None, None] + pixel * -7046029254386353131)
    channels = torch.stack([(bits >> shift) & 0xFFFFF for shift in (0, 20, 40)], 1)
    low, high = (channels & 1023).float(), (channels >> 10).float()
    noise = (low + high) * (1.0 / 1023.0) - 1.0
    return noise * 2.45 * lens.noise[:, None, None, None] * (0.6 + 0.8 * tone)
