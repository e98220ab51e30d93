# SPDX-License-Identifier: Apache-2.0
"""A first guess of a scene, grown along a spanning tree of its most confident pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import focal_from_pixels
from dens3r_ros.geometry.pose import pose_and_focal_from_points
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act, inverse, without_scale
from dens3r_ros.reconstruction.alignment_problem import AlignmentProblem, AlignmentState, trust

_NEAREST = 1e-3
"""Smallest depth believed, relative to the median of its image's."""


def spanning_tree_start(problem: AlignmentProblem) -> AlignmentState:
    """Place image after image by the best pair that joins it to those already placed.

    The focal length of each image comes from its own best pointmap; of an image that comes first
    in no pair, from where its placed points appear. Raises ValueError where the pairs leave
    images apart.
    """
    order = problem.weights.exp().mean(-1).prod(-1).argsort(descending=True).tolist()
    world, known = _placed_points(problem, order)
    views = [
        _camera(problem, world[image], known[image], image, order) for image in range(len(world))
    ]
    T_world_camera = torch.stack([T for T, _ in views])
    return AlignmentState(
        T_world_camera,
        torch.tensor([focal for _, focal in views]),
        _filled(act(inverse(T_world_camera), world)[..., 2], known),
        register_similarity(
            problem.points.mT.flatten(1, 2),
            world[problem.pairs].flatten(1, 2),
            (trust(problem.points, problem.weights) * known[problem.pairs]).flatten(1),
        ),
    )


def _filled(depths: Tensor, known: Tensor) -> Tensor:
    """Depths (N, M) with those unknown, or hardly before the camera, set to their median."""
    middle = depths.where(known, torch.nan).nanmedian(-1, keepdim=True).values
    return depths.where(known & (depths > _NEAREST * middle), middle)


def _placed_points(problem: AlignmentProblem, order: list[int]) -> tuple[Tensor, Tensor]:
    """(N, M, 3) points of every image in the frame of the best pair, and which are known."""
    weights, points = trust(problem.points, problem.weights), problem.points.mT
    pairs = problem.pairs.tolist()
    placed = {
        image: (points[order[0], k], weights[order[0], k])
        for k, image in enumerate(pairs[order[0]])
    }
    while len(placed) < len(problem.pixels):
        edge, end = _best_joining_edge(pairs, order, set(placed))
        there, trusted = placed[pairs[edge][end]]
        T = register_similarity(points[edge, end], there, weights[edge, end] * (trusted > 0))
        other = 1 - end
        placed[pairs[edge][other]] = act(T, points[edge, other]), weights[edge, other]
    images = range(len(placed))
    known = torch.stack([placed[image][1] > 0 for image in images])
    return torch.stack([placed[image][0] for image in images]), known


def _best_joining_edge(
    pairs: list[list[int]], order: list[int], placed: set[int]
) -> tuple[int, int]:
    """The first edge with one end placed, and which end that is."""
    for edge in order:
        a, b = pairs[edge]
        if (a in placed) != (b in placed):
            return edge, 0 if a in placed else 1
    apart = sorted({image for pair in pairs for image in pair} - placed)
    raise ValueError(f"no pair joins images {apart} to images {sorted(placed)}: predict some")


def _camera(
    problem: AlignmentProblem, world: Tensor, known: Tensor, image: int, order: list[int]
) -> tuple[Tensor, float]:
    """Pose and focal length of an image whose points in the world are known."""
    own = next((edge for edge in order if int(problem.pairs[edge, 0]) == image), None)
    if own is None:
        return _camera_by_appearance(world[known], problem.pixels[image][:, known], image)
    points, weights = problem.points[own, 0], problem.weights[own, 0]
    T = register_similarity(points.T, world, trust(points, weights) * known)
    return without_scale(T), float(focal_from_pixels(points.T, problem.pixels[image].T))


def _camera_by_appearance(world: Tensor, pixels: Tensor, image: int) -> tuple[Tensor, float]:
    width, height = (2 * pixels.abs().amax(-1)).long().tolist()
    centred = Intrinsics(1.0, 1.0, 0.0, 0.0, width, height)
    found = pose_and_focal_from_points(world, pixels.T, centred)
    if found is None:
        raise ValueError(f"no pose explains image {image}: predict a pair that it comes first in")
    return found.T_world_camera, found.focal
