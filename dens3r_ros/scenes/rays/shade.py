# SPDX-License-Identifier: Apache-2.0
"""From surfaces to light: textures, lamps, shadows, highlights, fog and sky."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.looks import materials as m
from dens3r_ros.scenes.looks.atlas import TILES, atlas, look_up
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.shadows import light_reaching
from dens3r_ros.scenes.rays.surface import Surface
from dens3r_ros.scenes.rays.world import Light, Worlds

_LIFT = 2e-3
_STAIN_FREQUENCY = 0.17


def radiance(worlds: Worlds, views: Views, surface: Surface) -> Tensor:
    """(V, 3, H, W) linear light that reaches the camera."""
    shape = surface.depth.shape
    rays = views.rays()
    eye = rays.transpose(0, 1).flatten(1)
    eye = eye * (eye * eye).sum(0).rsqrt()
    facing = -(eye * surface.normals).sum(0)
    albedo = _albedo(views, surface, facing)
    light, shine = _lamps(worlds, views, surface, eye)
    material = surface.material
    colour = albedo * (light + material[m.EMISSION]) + shine
    picture = colour.view(3, *shape).transpose(0, 1)
    return _air(worlds.light, views, surface, rays, picture)


def _albedo(views: Views, surface: Surface, facing: Tensor) -> Tensor:
    """(3, N): the pattern in its three colours, with detail and stains."""
    table = atlas(views.device)
    material = surface.material
    u, v, scale = _texture_place(surface)
    focal = (views.K[:, 0, 0] * views.K[:, 1, 1]).sqrt().float()
    pixel = surface.depth / focal[:, None, None]
    footprint = pixel.flatten() * scale * facing.clamp(min=0.05).rsqrt()
    second, third, tone = look_up(table, material[m.TILE], u, v, footprint)
    often = material[m.DETAIL_FREQUENCY]
    rough = look_up(table, material[m.DETAIL_TILE], u * often, v * often, footprint * often)
    blotch = look_up(
        table[:1],
        torch.full_like(u, float(TILES["fractal"][0])),
        u * _STAIN_FREQUENCY,
        v * _STAIN_FREQUENCY,
        footprint * _STAIN_FREQUENCY,
    )
    base, other, accent = (material[i : i + 3] for i in (0, 3, 6))
    colour = base + (other - base) * second
    colour = colour + (accent - colour) * third
    detail = material[m.DETAIL] * (rough[0] + rough[2] - 1.0)
    shade = (2.0 * tone) * (1.0 + detail) * (1.0 - material[m.STAIN] * blotch[0])
    return (colour * shade.clamp(min=0.05)).clamp(max=1.2)


def _texture_place(surface: Surface) -> tuple[Tensor, Tensor, Tensor]:
    """Where on its tile each pixel lies (u, v in tiles), and tiles per metre there.

    Seen from outside u runs to the right and v downwards on upright faces.
    """
    own, face, material = surface.own, surface.face, surface.material
    scale = material[m.UV_SCALE]
    on_x, on_z = face == 0, face == 2
    across = torch.where(on_x, own[1] * scale[1], own[0] * scale[0])
    across = torch.where(on_x, surface.side, torch.where(on_z, 1.0, -surface.side)) * across
    down = torch.where(on_z, own[1] * scale[1], -own[2] * scale[2])
    c, s = material[m.TURN]
    u = c * across - s * down + material[m.OFFSET][0]
    v = s * across + c * down + material[m.OFFSET][1]
    span = torch.where(on_x, scale[1], scale[0])
    other = torch.where(on_z, scale[1], scale[2])
    return u, v, (span * other).sqrt()


def _lamps(worlds: Worlds, views: Views, surface: Surface, eye: Tensor) -> tuple[Tensor, Tensor]:
    """(3, N) light on each surface from lamps and all around, and (3, N) highlights."""
    light = worlds.light[views.world]
    normals = surface.normals
    spread = _Spread(worlds, views, surface)
    upward = (normals * spread(views.T_world_camera[:, 2, :3].float())).sum(0)
    above, below = spread(light.above), spread(light.below)
    total = below + (above - below) * (0.5 + 0.5 * upward)
    shine = torch.zeros_like(total)
    mirrored = eye - 2.0 * normals * (eye * normals).sum(0)
    gloss, specular = surface.material[m.GLOSS], surface.material[m.SPECULAR]
    for lamp in range(light.position.shape[2]):
        place = spread(_in_camera(light.position[:, :, lamp], views))
        to = place - surface.points
        square = (to * to).sum(0).clamp(min=1e-6)
        to = to * square.rsqrt()
        strength = 1.0 / (1.0 + square / spread(light.falloff[:, :, lamp, None])[0] ** 2)
        if lamp == 0:
            strength = strength * _shadow(worlds, views, surface, place)
        lit = strength * spread(light.colour[:, :, lamp])
        total = total + (to * normals).sum(0).clamp(min=0.0) * lit
        glance = (to * mirrored).sum(0).clamp(min=0.0)
        shine = shine + lit * specular * glance / (gloss - gloss * glance + glance)
    return total, shine


class _Spread:
    """Gives every pixel what its view, or its group of lamps in its view, has."""

    def __init__(self, worlds: Worlds, views: Views, surface: Surface) -> None:
        self._shape = surface.depth.shape
        self._group = None
        if worlds.light.position.shape[1] > 1:
            self._group = _groups(worlds, views, surface)

    def __call__(self, values: Tensor) -> Tensor:
        """(C, N) from (V, C) or (V, G, C)."""
        if values.dim() == 3 and self._group is not None:
            return values.flatten(0, 1).t().contiguous().index_select(1, self._group)
        values = values[:, 0] if values.dim() == 3 else values
        wide = values.t()[..., None, None].expand(-1, *self._shape)
        return wide.reshape(len(wide), -1)


def _groups(worlds: Worlds, views: Views, surface: Surface) -> Tensor:
    """(N,) rows of the flattened (V, G) lamp groups."""
    groups = worlds.light.position.shape[1]
    slots = worlds.shapes.group.shape[1]
    slot = surface.slot.flatten(1).clamp(0, slots - 1).long()
    own = worlds.shapes.group[views.world].gather(1, slot)
    view = torch.arange(len(views), device=views.device)[:, None]
    return (own + view * groups).flatten()


def _in_camera(position: Tensor, views: Views) -> Tensor:
    """(V, G, 3) world positions in the optical frames."""
    T = views.T_world_camera
    offset = position.double() - T[:, None, :3, 3]
    return (offset[..., None] * T[:, None, :3, :3]).sum(-2).float()


def _shadow(worlds: Worlds, views: Views, surface: Surface, lamp: Tensor) -> Tensor:
    """(N,) share of the light that reaches each pixel from its lamp at (3, N)."""
    shape = surface.depth.shape
    lift = _LIFT * (1.0 + surface.depth.nan_to_num(posinf=0.0)).flatten()
    lifted = surface.points + lift * surface.normals
    points, lamps = (x.view(3, *shape).transpose(0, 1) for x in (lifted, lamp))
    return light_reaching(worlds.shapes, views, surface.local, points, lamps).flatten()


def _air(light: Light, views: Views, surface: Surface, rays: Tensor, picture: Tensor) -> Tensor:
    """Fog over the distance, and sky where there is nothing."""
    light = light[views.world]
    depth = surface.depth[:, None]
    far = 1.0 / (1.0 + (light.fog[:, None, None, None] * depth.nan_to_num(posinf=0.0)) ** 2)
    horizon = light.horizon[..., None, None]
    picture = horizon + (picture - horizon) * far
    empty = ~depth.isfinite()
    if not bool(empty.any()):
        return picture
    T = views.T_world_camera[:, :3, :3, None, None].float()
    way = (T * rays[:, None]).sum(2)
    way = way * (way * way).sum(1, keepdim=True).rsqrt()
    high = way[:, 2].clamp(min=0.02)
    where = (0.15 * way[:, :2] / high[:, None]).transpose(0, 1).flatten(1)
    haze = 0.002 / (high * high).flatten()
    tile = torch.full_like(haze, float(TILES["fractal"][1]))
    cloud = look_up(atlas(views.device)[:1], tile, where[0], where[1], haze)[0].view_as(high)
    blue = horizon + (light.sky[..., None, None] - horizon) * high[:, None].sqrt()
    cloud = (2.2 * cloud - 0.8).clamp(0.0, 1.0)
    blue = blue + (light.clouds[:, None, None] * cloud)[:, None] * (1.3 - blue).clamp(min=0.0)
    return torch.where(empty, blue, picture)
