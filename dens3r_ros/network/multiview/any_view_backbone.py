# SPDX-License-Identifier: Apache-2.0
"""The backbone of Depth Anything 3: first blocks look at one view, later ones at all by turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dens3r_ros.network.multiview.description import ROPE_BASE, AnyViewDescription
from dens3r_ros.network.multiview.reference import reorder
from dens3r_ros.network.parts.blocks import Block
from dens3r_ros.network.parts.dinov2 import DinoEmbedding, patch_grid
from dens3r_ros.network.parts.rope import Tables, token_tables


@dataclass(frozen=True, eq=False)
class ViewTokens:
    """A batch of images after the blocks that look at one view.

    data     (B, 1 + rows * columns, width) float32: class token, then patches row by row
    summary  (B, width): the class token by which a reference view is chosen
    early    what heads read of these blocks already, by block
    grid     (rows, columns) of patches
    """

    data: Tensor
    summary: Tensor
    early: dict[int, Tensor]
    grid: tuple[int, int]

    def split(self) -> list[ViewTokens]:
        """Each image of the batch by itself."""
        return [self[index : index + 1] for index in range(len(self.data))]

    def __getitem__(self, which: slice) -> ViewTokens:
        early = {block: tokens[which] for block, tokens in self.early.items()}
        return ViewTokens(self.data[which], self.summary[which], early, self.grid)


@dataclass(frozen=True, eq=False)
class SceneTokens:
    """Several views of B scenes after a block that heads read.

    local   (B, S, 1 + rows * columns, width): after the last block that looked at one view
    joined  the same after the block itself; the same tensor where it looked at one view
    """

    local: Tensor
    joined: Tensor

    def taken(self, which: Tensor) -> SceneTokens:
        """The views `which` (B, K) of each scene."""
        return SceneTokens(reorder(self.local, which), reorder(self.joined, which))


class AnyViewBackbone(DinoEmbedding):
    """DINOv2 whose odd blocks from the middle on look at all views of a scene."""

    def __init__(self, description: AnyViewDescription) -> None:
        size = description.encoder
        super().__init__(size)
        self.description = description
        self.head_dim = size.width // size.heads
        self.camera_token = nn.Parameter(torch.zeros(1, 2, size.width))
        self.blocks = nn.ModuleList(
            Block(replace(size.block, qk_norm=index >= description.qk_norm_from))
            for index in range(size.depth)
        )
        self.norm = nn.LayerNorm(size.width, size.norm_epsilon)

    def encode(self, images: Tensor) -> ViewTokens:
        """What is computed for one view alone; images (B, 3, H, W) are normalised."""
        description = self.description
        grid = patch_grid(images, self.patch)
        x = self.embed(images)
        summary, early = x[:, 0], {}
        for index in range(description.cross_from):
            if index == description.cross_from - 1:
                summary = x[:, 0]
            x = self.blocks[index](x, self._tables(index, grid, 1, x.device))
            if index in description.hooks:
                early[index] = x
        return ViewTokens(x, summary.contiguous(), early, grid)

    def decode(
        self,
        views: Sequence[ViewTokens],
        order: Tensor | None,
        camera_tokens: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> dict[int, SceneTokens]:
        """Compare views that were encoded; the tokens that heads read, by block, in `order`.

        order          (B, S) with the reference view first; None where it is first already
        camera_tokens  (B, S, width), in place of the learned ones
        wanted         (B, K) views, in that order, whose patches are read; of the others the last
                       block gives the camera token alone
        """
        x = self._stack([view.data for view in views], order)
        early = {
            block: self._stack([view.early[block] for view in views], order)
            for block in views[0].early
        }
        if camera_tokens is None:
            camera_tokens = self.camera_tokens(len(views))
        return self.compare(x, early, camera_tokens, views[0].grid, wanted)

    def compare(
        self,
        x: Tensor,
        early: Mapping[int, Tensor],
        camera_tokens: Tensor,
        grid: tuple[int, int],
        wanted: Tensor | None = None,
    ) -> dict[int, SceneTokens]:
        """The same of tokens (B, S, 1 + rows * columns, width) of views in order; changes `x`."""
        description = self.description
        scenes = {block: SceneTokens(tokens, tokens) for block, tokens in early.items()}
        x[:, :, 0] = camera_tokens
        local, last = x, description.hooks[-1]
        for index in range(description.cross_from, last + 1):
            across = index % 2 == 1
            if across and index == last and wanted is not None:
                x = self._last_step(x, grid, wanted)
            else:
                x = self._step(index, x, grid, across)
            local = local if across else x
            if index in description.hooks:
                scenes[index] = SceneTokens(local, x)
        return scenes

    def _stack(self, tokens: Sequence[Tensor], order: Tensor | None) -> Tensor:
        stacked = torch.stack([*tokens], dim=1)
        return stacked if order is None else reorder(stacked, order)

    def camera_tokens(self, views: int) -> Tensor:
        """(1, S, width): one token for the reference, another for every other view."""
        first = torch.arange(views, device=self.camera_token.device) == 0
        return torch.where(first[:, None], self.camera_token[:, :1], self.camera_token[:, 1:])

    def _step(self, index: int, x: Tensor, grid: tuple[int, int], across: bool) -> Tensor:
        scenes, views = x.shape[:2]
        sequences = x.flatten(1, 2) if across else x.flatten(0, 1)
        tables = self._tables(index, grid, views if across else 1, x.device, across)
        return self.blocks[index](sequences, tables).view(scenes, views, *x.shape[2:])

    def _last_step(self, x: Tensor, grid: tuple[int, int], wanted: Tensor) -> Tensor:
        """The last block, across views, of what heads read: no token that nobody does."""
        views, count = x.shape[1:3]
        index = self.description.hooks[-1]
        cameras = torch.arange(views, device=x.device).expand(len(x), -1) * count
        patches = torch.arange(1, count, device=x.device)
        rows = torch.cat((cameras, (wanted[:, :, None] * count + patches).flatten(1)), dim=1)
        tables = self._tables(index, grid, views, x.device, across=True)
        sequences = x.flatten(1, 2)
        found = self.blocks[index](sequences, tables, rows)
        return sequences.scatter(1, rows[..., None].expand_as(found), found).view_as(x)

    def _tables(
        self,
        index: int,
        grid: tuple[int, int],
        views: int,
        device: torch.device,
        across: bool = False,
    ) -> Tables | None:
        if index < self.description.rotate_from:
            return None
        if not across:
            return token_tables(self.head_dim, ROPE_BASE, grid, 1, device)
        # Across views only the camera token is told apart: every patch stands at (1, 1).
        cosine, sine = token_tables(self.head_dim, ROPE_BASE, (1, 1), 1, device)
        place = torch.ones(views, 1 + grid[0] * grid[1], dtype=torch.long, device=device)
        place[:, 0] = 0
        return cosine[place.flatten()], sine[place.flatten()]
