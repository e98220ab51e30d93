# SPDX-License-Identifier: Apache-2.0
"""Optimised splats must look better, not only different, and all of them must stay splats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_splats import CAMERA, looking, scattered

from dens3r_ros.splats.drawing.rendering import render
from dens3r_ros.splats.gaussians import Gaussians, gaussians_of, splats_of
from dens3r_ros.splats.optimising import optimisation
from dens3r_ros.splats.optimising.exposure import Exposures
from dens3r_ros.splats.optimising.mcmc import DEAD, move_and_grow, shared_opacity, shared_scale
from dens3r_ros.splats.optimising.optimisation import OptimisationConfig, optimised
from dens3r_ros.splats.optimising.population import Population
from dens3r_ros.splats.quality import psnr
from dens3r_ros.splats.splats import Splats
from dens3r_ros.splats.view import PhotoView

RATES = dict.fromkeys(("means", "log_scales", "rotations", "logits", "harmonics"), 1e-2)
CPU = OptimisationConfig(
    steps=60, device="cpu", refine_every=20, colours_rate=0.03, fill_gaps=False
)


@pytest.fixture(scope="module")
def scene() -> tuple[Splats, list[PhotoView]]:
    """What splats showed to four cameras, and the same splats with other colours."""
    gaussians = scattered(80, 2, degree=0, dtype=torch.float32)
    views = []
    for seed in range(4):
        colours, _ = render(gaussians, CAMERA, looking(seed))
        image = (colours.clamp(0, 1) * 255).round().byte().numpy()
        views.append(PhotoView(image, CAMERA, looking(seed), np.ones(image.shape[:2], np.float32)))
    start = splats_of(gaussians, "map", metric=True)
    return replace(start, harmonics=start.harmonics * np.float32(0.3)), views


def quality(splats: Splats, view: PhotoView) -> float:
    with torch.no_grad():
        colours, _ = render(gaussians_of(splats), view.camera, view.T_world_camera)
    return psnr(colours.clamp(0, 1), torch.from_numpy(view.image) / 255)


def test_a_view_that_was_left_out_looks_better(scene) -> None:
    start, views = scene
    told: list[str] = []
    config = replace(CPU, exposure=False)
    better = optimised(start, views[:3], config, lambda done, total, note: told.append(note))
    assert quality(better, views[3]) > quality(start, views[3]) + 1
    assert len(told) == 60 and "splats" in told[0]
    assert (better.frame, better.metric) == ("map", True)
    assert np.allclose(np.linalg.norm(better.rotations, axis=1), 1, atol=1e-5)
    assert all(np.isfinite(value).all() for value in vars(better).values() if np.ndim(value))


def test_the_same_seed_gives_the_same_splats(scene) -> None:
    start, views = scene
    config = replace(CPU, steps=25, tremble=1.0)
    one, two = (optimised(start, views, config) for _ in range(2))
    assert np.array_equal(one.means, two.means) and len(one) > len(start)


def test_what_moves_leaves_no_trace(scene) -> None:
    """A passer-by who is masked must not colour the wall behind."""
    start, views = scene
    moving = np.zeros(views[0].image.shape[:2], bool)
    moving[:, 10:] = True
    results = []
    for shade in (0, 255):
        image = views[0].image.copy()
        image[:, 16:] = shade
        view = replace(views[0], image=image, moving=moving)
        # The window of the structural similarity reaches over five pixels.
        results.append(optimised(start, [view], replace(CPU, steps=5)))
    assert np.array_equal(results[0].harmonics, results[1].harmonics)


def test_ctrl_c_keeps_what_was_done(scene, monkeypatch) -> None:
    start, views = scene

    def interrupted(done: int, total: int, note: str) -> None:
        if done == 10 and note != "stopped":
            raise KeyboardInterrupt

    some = optimised(start, views, CPU, interrupted)
    assert not np.array_equal(some.harmonics, start.harmonics)


def test_nothing_to_optimise_is_said(scene) -> None:
    with pytest.raises(ValueError, match="no images"):
        optimised(scene[0], [], CPU)


def test_cuda_without_gsplat_is_a_sentence(scene, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gsplat", None)
    with pytest.raises(ImportError, match="pip install gsplat"):
        optimised(*scene, replace(CPU, device="cuda"))
    assert optimisation.gsplat_device() == torch.device("cpu")


def test_an_image_that_is_darker_does_not_darken_the_scene() -> None:
    exposures = Exposures(2, torch.device("cpu"))
    scene = torch.full((4, 4, 3), 0.5)
    for _ in range(200):
        for index, shade in ((0, 0.4), (1, 0.6)):
            (exposures.applied(index, scene) - shade).square().mean().backward()
            exposures.step()
    assert float(exposures.applied(0, scene).mean()) == pytest.approx(0.4, abs=0.02)
    assert float(exposures.applied(1, scene).mean()) == pytest.approx(0.6, abs=0.02)


def test_splats_in_one_place_look_as_the_one_did() -> None:
    """Seen from far off: opacity in the middle, and the light that all hold back together."""
    opacities = torch.tensor([0.9, 0.5, 0.3])
    copies = torch.tensor([2, 3, 5])
    shares = shared_opacity(opacities, copies)
    assert torch.allclose(1 - (1 - shares) ** copies, opacities, atol=1e-6)
    factors = shared_scale(opacities, shares, copies)
    x = torch.linspace(-6, 6, 4001, dtype=torch.float64)
    for opacity, share, factor, n in zip(opacities, shares, factors, copies, strict=True):
        one = opacity * torch.exp(-0.5 * x.square())
        each = share * torch.exp(-0.5 * (x / factor).square())
        together = 1 - (1 - each) ** n
        assert float(together.sum() / one.sum()) == pytest.approx(1, abs=0.01)


def test_the_dead_move_to_the_living_and_moments_stay_with_their_splats() -> None:
    gaussians = scattered(30, 4, degree=0, dtype=torch.float32)
    logits = torch.full((30,), 2.0)
    logits[:5] = -9.0
    gaussians = replace(gaussians, logits=logits)
    population = Population(gaussians, RATES)
    for _ in range(3):
        sum(t.square().sum() for t in population.gaussians.tensors().values()).backward()
        population.step()
    before = {name: t.detach().clone() for name, t in population.gaussians.tensors().items()}
    random = torch.Generator().manual_seed(0)
    assert move_and_grow(population, 33, 0.5, random) == 3
    after = population.gaussians
    assert len(after) == len(population) == 33
    assert float(after.logits.detach().sigmoid().min()) > DEAD
    alive = before["means"][5:]
    moved = after.means.detach()[torch.cat([torch.arange(5), torch.arange(30, 33)])]
    assert (torch.cdist(moved, alive).amin(1) == 0).all()
    untouched = (after.logits.detach()[5:30] == before["logits"][5:]).nonzero()[:, 0] + 5
    assert len(untouched) > 10
    assert torch.equal(after.means.detach()[untouched], before["means"][untouched])
    after.means.sum().backward()
    population.step()
    # Adam's first step is one rate long; with moments of three steps behind it, it is not.
    steps = (population.gaussians.means.detach()[untouched] - before["means"][untouched]).abs()
    assert float((steps - 1e-2).abs().max()) > 1e-3
    assert isinstance(after, Gaussians)


def test_gsplat_draws_the_same() -> None:
    """The images that are optimised on CUDA are those that are shown on the CPU."""
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    if not torch.cuda.is_available():
        pytest.skip("gsplat draws on CUDA alone, and there is no such device")
    from dens3r_ros.splats.drawing.gsplat_renderer import render_with_gsplat

    gaussians = scattered(200, 6, degree=1, dtype=torch.float32)
    on_device = Gaussians(*(t.cuda() for t in gaussians.tensors().values()))
    colours, light = render(gaussians, CAMERA, looking(6))
    theirs, their_light = render_with_gsplat(on_device, CAMERA, looking(6))
    assert (theirs.cpu() - colours).abs().max() < 5e-3
    assert (their_light.cpu() - light).abs().max() < 5e-3
