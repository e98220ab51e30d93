# SPDX-License-Identifier: Apache-2.0
"""Where the two cameras of a pair stand: candidates, and the one whose overlap is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import SHAPES
from dens3r_ros.scenes.rays.primitives import KINDS, Primitives
from dens3r_ros.scenes.rays.world import Stage, Worlds

_FIRST, _SECOND = 8, 6
_GRID = (4, 6)


@dataclass(frozen=True, eq=False)
class CameraPairs:
    """`K` (B, 2, 3, 3) and `T_world_camera` (B, 2, 4, 4), float64; `same` (B,) bool for (a, a)."""

    K: Tensor
    T_world_camera: Tensor
    same: Tensor


def look_at(position: Tensor, target: Tensor, roll: Tensor) -> Tensor:
    """(..., 4, 4) float64 T_world_camera at (..., 3) looking at (..., 3), turned by (...) roll."""
    position, forward = position.double(), (target - position).double()
    flat = forward[..., :2].norm(dim=-1, keepdim=True).clamp(min=1e-3)
    steep = forward[..., 2:].clamp(-2.0 * flat, 2.0 * flat)
    forward = torch.cat((forward[..., :2], steep), -1)
    z = forward / forward.norm(dim=-1, keepdim=True)
    down = torch.zeros_like(z)
    down[..., 2] = -1.0
    x = torch.linalg.cross(down, z)
    x = x / x.norm(dim=-1, keepdim=True)
    y = torch.linalg.cross(z, x)
    c, s = roll.double().cos()[..., None], roll.double().sin()[..., None]
    rotation = torch.stack((c * x + s * y, c * y - s * x, z), -1)
    T = torch.zeros(*position.shape[:-1], 4, 4, dtype=torch.float64, device=position.device)
    T[..., :3, :3], T[..., :3, 3], T[..., 3, 3] = rotation, position, 1.0
    return T


def sample_intrinsics(
    stream: RandomStream, height: int, width: int, low: float, high: float
) -> Tensor:
    """(B, 2, 3, 3) float64, `low` to `high` degrees along the longer side."""
    view = stream.uniform(2, low=low, high=high).deg2rad()
    view[:, 1] = torch.where(stream.chance(0.85), view[:, 0], view[:, 1])
    focal = 0.5 * max(height, width) / (0.5 * view.double()).tan()
    shift = 0.02 * stream.normal(1, 2).double() * max(height, width)
    K = torch.zeros(len(stream), 2, 3, 3, dtype=torch.float64, device=stream.device)
    K[..., 0, 0], K[..., 1, 1], K[..., 2, 2] = focal, focal, 1.0
    K[..., 0, 2] = 0.5 * (width - 1) + shift[..., 0]
    K[..., 1, 2] = 0.5 * (height - 1) + shift[..., 1]
    return K


def clearance(shapes: Primitives, points: Tensor) -> Tensor:
    """(B, N) metres from (B, N, 3) points to the nearest shape's box; negative inside."""
    offset = points[:, :, None] - shapes.centre[:, None]
    own = (offset[..., None] * shapes.rotation[:, None]).sum(-2)
    beyond = own.abs() - shapes.half[:, None]
    distance = (beyond.clamp(min=0.0) ** 2).sum(-1).sqrt() + beyond.amax(-1).clamp(max=0.0)
    return torch.where(shapes.active[:, None], distance, torch.inf).amin(-1)


def nearest_hit(worlds: Worlds, origin: Tensor, rays: Tensor) -> Tensor:
    """(B, C, R) ray parameters of first hits, all shapes against all rays.

    `rays` (B, C, R, 3) start at `origin` (B, C, 3); infinite where nothing is hit.
    """
    shapes = worlds.shapes
    best = torch.full(rays.shape[:3], torch.inf, device=rays.device)
    for kind in KINDS:
        slots = shapes.slots(kind)
        if slots.start == slots.stop:
            continue
        turn = shapes.rotation[:, slots] / shapes.half[:, slots, None].clamp(min=1e-6)
        offset = origin[:, :, None] - shapes.centre[:, None, slots]
        o = (offset[..., None] * turn[:, None]).sum(-2)[:, :, None]
        x, y, z = rays[..., None, :].unbind(-1)
        rows = turn[:, None, None].unbind(-2)
        d = [x * rows[0][..., i] + y * rows[1][..., i] + z * rows[2][..., i] for i in range(3)]
        entry, leave = SHAPES[kind](o.unbind(-1), [di + 1e-12 for di in d])
        hit = (entry <= leave) & (entry > 0.0) & shapes.active[:, None, None, slots]
        best = torch.minimum(best, torch.where(hit, entry, torch.inf).amin(-1))
    return _nearest_ground(worlds, origin, rays, best)


def _nearest_ground(worlds: Worlds, origin: Tensor, rays: Tensor, best: Tensor) -> Tensor:
    chosen = worlds.terrain.active.nonzero()[:, 0]
    if not len(chosen):
        return best
    start = origin[chosen][:, :, None].expand_as(rays[chosen]).reshape(-1, 3)
    world = chosen.repeat_interleave(best[0].numel())
    before = best[chosen].flatten()
    hits = worlds.terrain.first_hits(world, start, rays[chosen].reshape(-1, 3), before)
    best[chosen] = torch.minimum(hits, before).view(-1, *best.shape[1:])
    return best


def sample_pairs_of_cameras(
    stream: RandomStream, worlds: Worlds, K: Tensor, size: tuple[int, int], same: Tensor
) -> CameraPairs:
    """Two cameras per world whose views overlap about as much as a number drawn for them."""
    first, rays, depth = _first_camera(stream, worlds, K[:, 0], size)
    points = first[:, None, :3, 3].float() + depth[..., None] * _turned(first, rays)
    candidates = _second_cameras(stream, worlds, first, points, depth)
    wanted = stream.uniform(1, low=0.28, high=1.0)
    overlap, fine = _overlaps(worlds, K, size, first, candidates, points, depth)
    cost = (overlap - wanted).abs() + (~fine).float()
    second = _chosen(candidates, cost.argmin(1))
    second = torch.where(same[:, None, None], first, second)
    return CameraPairs(K, torch.stack((first, second), 1), same)


def sample_cameras_around(
    stream: RandomStream, worlds: Worlds, K: Tensor, size: tuple[int, int], others: int
) -> Tensor:
    """(B, 1 + others, 4, 4) float64 T_world_camera of several views of one world each.

    The first camera, and others no two of which stand alike, each overlapping the first about
    as much as a number drawn for it. `K` (B, 3, 3) is that of all of them.
    """
    if not 1 <= others <= _SECOND:
        raise ValueError(f"1 to {_SECOND} other views can be drawn, not {others}")
    first, rays, depth = _first_camera(stream, worlds, K, size)
    points = first[:, None, :3, 3].float() + depth[..., None] * _turned(first, rays)
    candidates = _second_cameras(stream, worlds, first, points, depth)
    wanted = stream.uniform(others, low=0.28, high=1.0)
    both = torch.stack((K, K), 1)
    overlap, fine = _overlaps(worlds, both, size, first, candidates, points, depth)
    poses, taken = [first], torch.zeros_like(fine)
    for number in range(others):
        cost = (overlap - wanted[:, number, None]).abs() + (~fine).float() + 10.0 * taken
        index = cost.argmin(1)
        poses.append(_chosen(candidates, index))
        taken = taken.scatter(1, index[:, None], True)
    return torch.stack(poses, 1)


def _chosen(candidates: Tensor, index: Tensor) -> Tensor:
    return candidates[torch.arange(len(candidates), device=candidates.device), index]


def _grid_rays(K: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, R, 3) rays of depth 1 through a coarse grid of pixels."""
    rows, columns = _GRID
    v = (torch.arange(rows, device=K.device) + 0.5) * size[0] / rows - 0.5
    u = (torch.arange(columns, device=K.device) + 0.5) * size[1] / columns - 0.5
    v, u = (g.flatten() for g in torch.meshgrid(v, u, indexing="ij"))
    x = (u - K[:, 0, 2, None]) / K[:, 0, 0, None]
    y = (v - K[:, 1, 2, None]) / K[:, 1, 1, None]
    return torch.stack((x, y, torch.ones_like(x)), -1).float()


def _turned(T: Tensor, rays: Tensor) -> Tensor:
    """(B, R, 3) optical-frame rays in world axes."""
    return (T[:, None, :3, :3].float() * rays[:, :, None]).sum(-1)


def _within(stream: RandomStream, count: int, low: Tensor, high: Tensor) -> Tensor:
    return low[:, None] + (high - low)[:, None] * stream.uniform(count, 3)


def _on_ground(worlds: Worlds, position: Tensor) -> Tensor:
    """Lift (B, N, 3) positions by the height of the terrain under them."""
    world = torch.arange(len(position), device=position.device)
    world = world.repeat_interleave(position.shape[1])
    flat = position.flatten(0, 1)
    height = worlds.terrain.surface(world, flat[:, 0], flat[:, 1])[0]
    lift = torch.where(worlds.terrain.active[world], height, 0.0).view(position.shape[:2])
    return torch.cat((position[..., :2], position[..., 2:] + lift[..., None]), -1)


def _first_camera(
    stream: RandomStream, worlds: Worlds, K: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 4, 4) the clearest and richest of several random views, its coarse rays and depths."""
    stage: Stage = worlds.stage
    position = _on_ground(worlds, _within(stream, _FIRST, stage.camera_low, stage.camera_high))
    target = _within(stream, _FIRST, stage.target_low, stage.target_high)
    poses = look_at(position, target, 0.12 * stream.normal(_FIRST))
    rays = _grid_rays(K, size)
    turned = torch.stack([_turned(poses[:, i], rays) for i in range(_FIRST)], 1)
    depth = nearest_hit(worlds, position, turned)
    seen = depth.isfinite()
    logs = torch.where(seen, depth, 1.0).clamp(min=1e-3).log()
    logs = torch.where(seen, logs, logs.sum(-1, keepdim=True) / seen.sum(-1, keepdim=True).clamp(1))
    close = depth.amin(-1) > 1.2 * stage.clearance[:, None]
    clear = clearance(worlds.shapes, position) > stage.clearance[:, None]
    good = clear & close & (seen.float().mean(-1) > 0.45)
    taste = stream.uniform(1)
    score = 10.0 * good + 5.0 * clear + taste * logs.std(-1).clamp(max=0.8)
    best = score.argmax(1)
    return _chosen(poses, best), rays, _chosen(depth, best)


def _second_cameras(
    stream: RandomStream, worlds: Worlds, first: Tensor, points: Tensor, depth: Tensor
) -> Tensor:
    """(B, N, 4, 4): from a small step beside the first camera to a long way round."""
    count = _SECOND
    seen = depth.isfinite()
    typical = torch.where(seen, depth, torch.nan).nanmedian(1).values.nan_to_num(5.0)
    reach = torch.linspace(0.0, 1.0, count, device=first.device)
    distance = 0.04 * 25.0**reach * stream.log_uniform(count, low=0.6, high=1.6)
    step = stream.normal(count, 3) * torch.tensor((1.0, 0.45, 0.8), device=first.device)
    step = step / step.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    step = step * (distance * typical[:, None])[..., None]
    turn = first[:, :3, :3].float()
    position = first[:, None, :3, 3].float() + (turn[:, None] * step[:, :, None]).sum(-1)
    stage: Stage = worlds.stage
    slack = stage.clearance[:, None, None]
    low, high = stage.camera_low[:, None] - slack, stage.camera_high[:, None] + slack
    position = torch.minimum(torch.maximum(position, low), high)
    near = torch.where(seen[..., None], points, 0.0).sum(1) / seen.sum(1).clamp(min=1)[:, None]
    ahead = first[:, :3, 3].float() + typical[:, None] * turn[:, :, 2]
    pull = stream.uniform(count, 1)
    target = pull * near[:, None] + (1.0 - pull) * (ahead[:, None] + 0.7 * step)
    target = target + stream.normal(count, 3) * (0.3 * typical[:, None] * reach)[..., None]
    return look_at(position, target, 0.12 * stream.normal(count))


def _project(T: Tensor, K: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., R) bool: which (..., R, 3) world points fall into the image of (..., 4, 4) cameras."""
    offset = points.double() - T[..., None, :3, 3]
    x, y, z = (offset[..., None] * T[..., None, :3, :3]).sum(-2).unbind(-1)
    u = K[..., 0, 0, None] * x / z + K[..., 0, 2, None]
    v = K[..., 1, 1, None] * y / z + K[..., 1, 2, None]
    inside = (u > -0.5) & (u < size[1] - 0.5) & (v > -0.5) & (v < size[0] - 0.5)
    return inside & (z > 0.0)


def _overlaps(
    worlds: Worlds,
    K: Tensor,
    size: tuple[int, int],
    first: Tensor,
    candidates: Tensor,
    points: Tensor,
    depth: Tensor,
) -> tuple[Tensor, Tensor]:
    """(B, N) coarse overlap of each candidate with the first view, and whether it stands free."""
    count = candidates.shape[1]
    rays = _grid_rays(K[:, 1], size)
    origin = candidates[..., :3, 3].float()
    turned = torch.stack([_turned(candidates[:, i], rays) for i in range(count)], 1)
    there = points.nan_to_num(posinf=0.0, neginf=0.0)[:, None] - origin[:, :, None]
    hits = nearest_hit(worlds, origin, torch.cat((turned, there), 2))
    own, reached = hits[..., : rays.shape[1]], hits[..., rays.shape[1] :] > 0.99
    seen = depth.isfinite()[:, None]
    inside = _project(candidates, K[:, None, 1], points[:, None].nan_to_num(posinf=0.0), size)
    a_in_b = (inside & reached & seen).sum(-1) / seen.sum(-1).clamp(min=1)
    places = origin[:, :, None] + own.nan_to_num(posinf=0.0)[..., None] * turned
    start = first[:, None, :3, 3].float()
    back = (places - start[:, None]).flatten(1, 2)
    free = nearest_hit(worlds, start, back[:, None]).view(own.shape) > 0.99
    visible = _project(first[:, None], K[:, None, 0], places, size) & free & own.isfinite()
    b_in_a = visible.sum(-1) / own.isfinite().sum(-1).clamp(min=1)
    limit = worlds.stage.clearance[:, None]
    fine = (clearance(worlds.shapes, origin) > limit) & (own.amin(-1) > limit)
    return 0.5 * (a_in_b + b_in_a), fine
