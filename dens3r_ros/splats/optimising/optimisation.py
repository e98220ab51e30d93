# SPDX-License-Identifier: Apache-2.0
"""Making splats look like the images that they were made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.splats.drawing.gsplat_renderer import gsplat_device, renderer_on
from dens3r_ros.splats.gaussians import Gaussians, gaussians_of, splats_of
from dens3r_ros.splats.optimising.exposure import Exposures
from dens3r_ros.splats.optimising.gaps import with_gaps_filled
from dens3r_ros.splats.optimising.mcmc import move_and_grow, tremble
from dens3r_ros.splats.optimising.population import Population
from dens3r_ros.splats.quality import ssim_map
from dens3r_ros.splats.splats import Splats
from dens3r_ros.splats.view import PhotoView


@dataclass(frozen=True)
class OptimisationConfig:
    """How splats are optimised.

    steps       images looked at, one a step
    long_side   pixels of the images' long side; 0 leaves them as they are
    device      "auto" (CUDA where gsplat is installed), "cpu" or "cuda"
    ssim_share  of the loss; the rest is the absolute difference
    exposure    learn a gain and an offset of each image's colours
    fill_gaps   begin with splats where views see none too, see `gaps`
    degree      of the harmonics: 0 leaves colours the same from everywhere
    means_rate  of learning, in median widths of a splat; falls to a hundredth
    scales_rate, rotations_rate, opacities_rate, colours_rate  of learning; finer harmonics learn a
                twentieth as fast
    faint, small  how much opacities and sizes, relative to the median one, are pressed down
    refine_every  steps from one rearrangement to the next; there is none in the last fifth
    growth      share of splats that join at each, up to `most` times as many as at first
    most        see there
    tremble     of the centres, see `mcmc.tremble`
    seed        of all chance
    """

    steps: int = 300
    long_side: int = 0
    device: str = "auto"
    ssim_share: float = 0.2
    exposure: bool = True
    fill_gaps: bool = True
    degree: int = 0
    means_rate: float = 0.02
    scales_rate: float = 5e-3
    rotations_rate: float = 1e-3
    opacities_rate: float = 0.05
    colours_rate: float = 0.01
    faint: float = 0.01
    small: float = 0.0
    refine_every: int = 100
    growth: float = 0.05
    most: float = 1.5
    tremble: float = 0.0
    seed: int = 0


Told = Callable[[int, int, str], None]


def optimised(
    splats: Splats,
    views: Sequence[PhotoView],
    config: OptimisationConfig | None = None,
    tell: Told = lambda done, total, note: None,
) -> Splats:
    """The splats after `config.steps` steps on the views; on Ctrl-C as they are by then.

    Pixels that move count nothing. ValueError where there is nothing to optimise.
    """
    config = config or OptimisationConfig()
    if not len(splats) or not views:
        raise ValueError("there are no splats, or no images, to optimise with")
    run = _Run(splats, views, config)
    try:
        for step, index in enumerate(_order(len(views), config)):
            note = f"loss {run.step(step, index):.4f}, {len(run.population)} splats"
            tell(step + 1, config.steps, note)
    except KeyboardInterrupt:
        tell(config.steps, config.steps, "stopped")
    return splats_of(run.population.gaussians, splats.frame, splats.metric)


def _order(views: int, config: OptimisationConfig) -> Iterator[int]:
    """All views in a random order, then all again."""
    random, left = np.random.default_rng(config.seed), config.steps
    while left > 0:
        chosen = random.permutation(views)[:left].tolist()
        left -= len(chosen)
        yield from chosen


class _Run:
    """What a run of steps keeps."""

    def __init__(
        self, splats: Splats, views: Sequence[PhotoView], config: OptimisationConfig
    ) -> None:
        self._config = config
        self._views = [_sized(view, config.long_side) for view in views]
        device = gsplat_device() if config.device == "auto" else torch.device(config.device)
        self._device, self._renderer = device, renderer_on(device)
        self._targets = [torch.from_numpy(view.image) for view in self._views]
        if config.fill_gaps:
            splats = with_gaps_filled(splats, self._views, self._renderer, device)
        start = with_degree(gaussians_of(splats, device), config.degree)
        self._width = float(start.log_scales.exp().median())
        self._most = round(config.most * len(splats))
        self.population = Population(start, self._rates())
        self._exposures = Exposures(len(views), device) if config.exposure else None
        self._random = torch.Generator().manual_seed(config.seed)

    def step(self, step: int, index: int) -> float:
        """Look at one view; the loss before."""
        config, view = self._config, self._views[index]
        self.population.set_rate("means", self._means_rate(step))
        gaussians = self.population.gaussians
        colours, _ = self._renderer(gaussians, view.camera, view.T_world_camera)
        if self._exposures is not None:
            colours = self._exposures.applied(index, colours)
        loss = self._difference(colours, index)
        total = loss + config.faint * gaussians.logits.sigmoid().mean()
        total = total + config.small * gaussians.log_scales.exp().mean() / self._width
        total.backward()
        self.population.step()
        if self._exposures is not None:
            self._exposures.step()
        if config.tremble > 0:
            tremble(self.population, config.tremble / self._width**2, self._random)
        if self._refining(step):
            move_and_grow(self.population, self._most, config.growth, self._random)
        return float(loss.detach())

    def _difference(self, colours: Tensor, index: int) -> Tensor:
        truth = self._targets[index].to(self._device).float() / 255
        share, moving = self._config.ssim_share, self._views[index].moving
        absolute = (colours - truth).abs().mean(-1)
        per_pixel = (1 - share) * absolute + share * (1 - ssim_map(colours, truth))
        if moving is None:
            return per_pixel.mean()
        still = torch.from_numpy(~moving).to(self._device)
        return (per_pixel * still).sum() / still.sum().clamp(min=1)

    def _refining(self, step: int) -> bool:
        every = self._config.refine_every
        return every > 0 and (step + 1) % every == 0 and step < 0.8 * self._config.steps

    def _means_rate(self, step: int) -> float:
        return self._config.means_rate * self._width * 0.01 ** (step / self._config.steps)

    def _rates(self) -> dict[str, float]:
        config = self._config
        return {
            "means": config.means_rate * self._width,
            "log_scales": config.scales_rate,
            "rotations": config.rotations_rate,
            "logits": config.opacities_rate,
            "harmonics": config.colours_rate,
        }


def with_degree(gaussians: Gaussians, degree: int) -> Gaussians:
    """The same with harmonics up to that degree at least; those that are new are 0."""
    missing = (degree + 1) ** 2 - gaussians.harmonics.shape[1]
    if missing <= 0:
        return gaussians
    zeros = gaussians.harmonics.new_zeros(len(gaussians), missing, 3)
    return replace(gaussians, harmonics=torch.cat([gaussians.harmonics, zeros], 1))


def _sized(view: PhotoView, long_side: int) -> PhotoView:
    width, height = view.camera.width, view.camera.height
    if not 0 < long_side < max(width, height):
        return view
    share = long_side / max(width, height)
    return view.resized(max(1, round(share * width)), max(1, round(share * height)))
