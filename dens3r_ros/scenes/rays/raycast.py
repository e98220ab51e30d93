# SPDX-License-Identifier: Apache-2.0
"""First hits of all pixels of many views, exactly: every ray against every shape that its tile of
16 x 16 pixels can see.

A shape's bounding box is tested against the four planes of each tile; tiles walk through what
remains from near to far and stop when all their pixels are hit nearer than the next shape begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.rays.intersect import SHAPES
from dens3r_ros.scenes.rays.primitives import KINDS, Primitives

TILE = 16
MISS = torch.inf


@dataclass(frozen=True, eq=False)
class Views:
    """V pinhole views; view i sees world `world[i]`.

    `K` is (V, 3, 3) float64 with pixel centres at whole numbers, `T_world_camera` (V, 4, 4)
    float64, all `height` x `width`.
    """

    world: Tensor
    K: Tensor
    T_world_camera: Tensor
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.world)

    @property
    def device(self) -> torch.device:
        """Where the views are."""
        return self.K.device

    def rays(self) -> Tensor:
        """(V, 3, H, W) float32 rays of depth 1 in the optical frame."""
        shape = (len(self), self.height, self.width)
        u = torch.arange(self.width, device=self.device) - self.K[:, 0, 2, None]
        v = torch.arange(self.height, device=self.device) - self.K[:, 1, 2, None]
        x = (u / self.K[:, 0, 0, None])[:, None, :].float().expand(shape)
        y = (v / self.K[:, 1, 1, None])[:, :, None].float().expand(shape)
        return torch.stack((x, y, torch.ones_like(x)), 1)


@dataclass(frozen=True, eq=False)
class LocalViews:
    """Every shape of every view's world, seen from the view's optical frame.

    `rotation` (V, P, 3, 3) takes a shape's own axes to the optical frame, `origin` (V, P, 3) is
    the camera's centre in them, in metres, `half` (V, P, 3) the shape's reach.
    """

    rotation: Tensor
    origin: Tensor
    half: Tensor
    active: Tensor

    @property
    def centre(self) -> Tensor:
        """(V, P, 3) centres in the optical frame."""
        return -(self.rotation * self.origin[..., None, :]).sum(-1)

    def reach(self, directions: Tensor) -> Tensor:
        """(V, E, P): how far shapes reach either side of their centres along (V, E, 3)."""
        own = (directions[:, :, None, :, None] * self.rotation[:, None]).sum(-2)
        return (own.abs() * self.half[:, None]).sum(-1)


def local_views(shapes: Primitives, views: Views) -> LocalViews:
    """Shapes relative to the cameras; differences are taken in double precision."""
    rotation_world = shapes.rotation[views.world].double()
    R_world_camera = views.T_world_camera[:, None, :3, :3]
    offset = views.T_world_camera[:, None, :3, 3] - shapes.centre[views.world]
    rotation = (R_world_camera[..., None] * rotation_world[..., :, None, :]).sum(-3)
    origin = (offset[..., None] * rotation_world).sum(-2)
    half = shapes.half[views.world].clamp(min=1e-6)
    return LocalViews(rotation.float(), origin.float(), half, shapes.active[views.world])


def _between_planes(local: LocalViews, slopes: Tensor, axis: int) -> Tensor:
    """(V, E - 1, P): which shapes reach between neighbouring planes through the camera.

    `slopes` (V, E) are the planes' x / z (axis 0) or y / z (axis 1), ascending.
    """
    normals = torch.zeros(*slopes.shape, 3, device=slopes.device)
    normals[..., axis], normals[..., 2] = 1.0, -slopes
    middle = (normals[:, :, None] * local.centre[:, None]).sum(-1)
    reach = local.reach(normals) * 1.0001 + 1e-4
    beyond, before = middle + reach >= 0.0, middle - reach <= 0.0
    return beyond[:, :-1] & before[:, 1:]


def tile_candidates(local: LocalViews, views: Views) -> tuple[Tensor, Tensor]:
    """(V, T, P) bool: what each tile may see; (V, P): the depth at which each shape begins."""
    middle = local.centre[..., 2]
    reach = (local.rotation[..., 2, :].abs() * local.half).sum(-1)
    sides = []
    for axis, pixels in enumerate((views.width, views.height)):
        count = -(-pixels // TILE)
        edges = torch.arange(count + 1, device=views.device) * TILE - 0.5
        slopes = (edges - views.K[:, axis, 2, None]) / views.K[:, axis, axis, None]
        sides.append(_between_planes(local, slopes.float(), axis))
    columns, rows = sides
    seen = local.active & (middle + reach > 0.0)
    mask = rows[:, :, None] & columns[:, None] & seen[:, None, None]
    return mask.flatten(1, 2), middle - reach


def visible_boxes(boxes: Tensor, views: Views) -> Tensor:
    """(R,) bool: which upright boxes (R, 2, 3), low and high, reach into the first view."""
    T = views.T_world_camera[0].float()
    turn = T[:3, :3].t().expand(1, len(boxes), 3, 3)
    centre = 0.5 * (boxes[:, 0] + boxes[:, 1]) - T[:3, 3]
    half = 0.5 * (boxes[:, 1] - boxes[:, 0])[None]
    active = torch.ones(1, len(boxes), dtype=torch.bool, device=views.device)
    local = LocalViews(turn, -centre[None], half, active)
    return tile_candidates(local, views)[0][0].any(0)


def _ray_steps(local: LocalViews, views: Views) -> tuple[Tensor, Tensor, Tensor]:
    """(V, P, 3) each: stretched ray direction at pixel (0, 0) and its change per pixel in u, v."""
    K = views.K.float()[:, None, :, :, None]
    x, y, z = local.rotation.unbind(-2)
    du, dv = x / K[:, :, 0, 0], y / K[:, :, 1, 1]
    return tuple(  # type: ignore[return-value]
        d / local.half for d in (z - du * K[:, :, 0, 2] - dv * K[:, :, 1, 2], du, dv)
    )


def first_hits(shapes: Primitives, views: Views) -> tuple[Tensor, Tensor]:
    """(V, H, W) depth, infinite where nothing is hit, and the slot that was hit (-1)."""
    local = local_views(shapes, views)
    mask, begins = tile_candidates(local, views)
    tracer = _Tracer(local, views, mask.shape[1], begins)
    for kind in KINDS:
        tracer.trace(kind, mask, shapes.slots(kind))
    return tracer.images()


def rounds(mask: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Split the true entries of (V, T, P) into rounds in which no tile comes twice.

    Round k holds (view, tile, place) of the k-th true entry of every tile that has so many.
    """
    turn, by_turn = (mask.cumsum(-1)[mask] - 1).sort(stable=True)
    entries = mask.nonzero()[by_turn].unbind(-1)
    at = 0
    for count in torch.bincount(turn).tolist():
        view, tile, place = (entry[at : at + count] for entry in entries)
        yield view, tile, place
        at += count


class _Tracer:
    """Nearest hits so far, tile by tile."""

    def __init__(self, local: LocalViews, views: Views, tiles: int, begins: Tensor) -> None:
        self.views, self.begins = views, begins
        self.start, self.du, self.dv = (s.flatten(0, 1) for s in _ray_steps(local, views))
        self.origin = (local.origin / local.half).flatten(0, 1)
        self.slots = local.origin.shape[1]
        self.tiles = tiles
        total = len(views) * tiles
        self.depth = torch.full((total, TILE, TILE), MISS, device=views.device)
        self.slot = torch.full((total, TILE, TILE), -1, dtype=torch.int32, device=views.device)
        self.farthest = torch.full((total,), MISS, device=views.device)
        index = torch.arange(tiles, device=views.device)
        across = -(-views.width // TILE)
        self.left = (index % across * TILE).float()
        self.top = (index.div(across, rounding_mode="floor") * TILE).float()

    def trace(self, kind: int, mask: Tensor, slots: slice) -> None:
        """Intersect all shapes of a kind: each round takes the next candidate of every tile."""
        if slots.stop == slots.start:
            return
        begins, order = self.begins[:, slots].sort(-1)
        mask = mask[:, :, slots].gather(2, order[:, None].expand(-1, mask.shape[1], -1))
        for view, tile, place in rounds(mask):
            self._round(kind, view, tile, order[view, place] + slots.start, begins[view, place])

    def _round(self, kind: int, view: Tensor, tile: Tensor, slot: Tensor, begin: Tensor) -> None:
        row = view * self.tiles + tile
        useful = begin < self.farthest[row]
        row, tile, view, slot = (x[useful] for x in (row, tile, view, slot))
        if not len(row):
            return
        entry, leave = SHAPES[kind](*self._rays(view * self.slots + slot, tile))
        best = self.depth[row]
        nearer = (entry < best) & (entry <= leave) & (entry > 0.0)
        best = torch.where(nearer, entry, best)
        self.depth[row] = best
        self.slot[row] = torch.where(nearer, slot[:, None, None].int(), self.slot[row])
        self.farthest[row] = best.flatten(1).amax(1)

    def _rays(self, shape: Tensor, tile: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Stretched origins (R, 1, 1) and directions (R, TILE, TILE), by component."""
        steps = torch.arange(TILE, device=shape.device, dtype=torch.float32)
        du, dv = self.du[shape][..., None], self.dv[shape][..., None]
        u = self.left[tile][:, None, None] + steps
        v = self.top[tile][:, None, None] + steps
        across = self.start[shape][..., None] + du * u + 1e-12
        down = dv * v
        origin = self.origin[shape]
        directions = [across[:, i, None, :] + down[:, i, :, None] for i in range(3)]
        return [origin[:, i, None, None] for i in range(3)], directions

    def images(self) -> tuple[Tensor, Tensor]:
        """Tiles put together as (V, H, W) depth and slot."""
        views = self.views
        down, across = -(-views.height // TILE), -(-views.width // TILE)

        def image(tiles: Tensor) -> Tensor:
            grid = tiles.view(len(views), down, across, TILE, TILE).transpose(2, 3)
            whole = grid.reshape(len(views), down * TILE, across * TILE)
            return whole[:, : views.height, : views.width].contiguous()

        return image(self.depth), image(self.slot)
