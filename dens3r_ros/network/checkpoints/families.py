# SPDX-License-Identifier: Apache-2.0
"""The families of networks whose published checkpoints are known by the names of their tensors.

The pairwise family is not among them: its checkpoints need the arguments of their constructor.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dens3r_ros.network.checkpoints.descendant_families import (
    DESCENDANT_FAMILIES,
    DescendantNetwork,
)
from dens3r_ros.network.checkpoints.family import NetworkFamily
from dens3r_ros.network.checkpoints.moge_families import MOGE_FAMILIES, Moge
from dens3r_ros.network.monocular import depth_anything_keys
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingDescription,
    DepthAnythingNetwork,
)
from dens3r_ros.network.monocular.moge.description import Moge1Description, Moge2Description
from dens3r_ros.network.multiview import any_view_keys
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import AnyViewDescription, VggtDescription
from dens3r_ros.network.multiview.vggt import keys as vggt_keys
from dens3r_ros.network.multiview.vggt.network import VggtNetwork
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.retrieval import head as retrieval_head
from dens3r_ros.network.retrieval.head import RetrievalDescription, RetrievalHead

AnyNetwork = (
    Network
    | AnyViewNetwork
    | VggtNetwork
    | DepthAnythingNetwork
    | Moge
    | DescendantNetwork
    | RetrievalHead
)
"""A network of any family: it has `description`, `info`, `set_backbone_dtype`."""

SINGLE_IMAGE = (DepthAnythingDescription, Moge1Description, Moge2Description)
"""Descriptions of networks that see one image at a time."""

FAMILIES = (
    NetworkFamily(
        kind="any_view",
        title="Depth Anything 3",
        description=AnyViewDescription,
        network=AnyViewNetwork,
        marks=any_view_keys.MARKS,
        describe=any_view_keys.describe,
        own_name=any_view_keys.own_name,
        is_unused=any_view_keys.is_unused,
    ),
    NetworkFamily(
        kind="vggt",
        title="VGGT",
        description=VggtDescription,
        network=VggtNetwork,
        marks=vggt_keys.MARKS,
        describe=vggt_keys.describe,
        own_name=vggt_keys.own_name,
        is_unused=vggt_keys.is_unused,
    ),
    NetworkFamily(
        kind="depth_anything",
        title="Depth Anything 3 one-image",
        description=DepthAnythingDescription,
        network=DepthAnythingNetwork,
        marks=depth_anything_keys.MARKS,
        describe=depth_anything_keys.describe,
        own_name=depth_anything_keys.own_name,
        is_unused=depth_anything_keys.is_unused,
    ),
    NetworkFamily(
        kind="retrieval",
        title="retrieval head of MASt3R",
        description=RetrievalDescription,
        network=RetrievalHead,
        marks=("prewhiten.m", "prewhiten.p"),
        describe=retrieval_head.describe,
        own_name=retrieval_head.own_name,
        is_unused=retrieval_head.is_unused,
    ),
    *MOGE_FAMILIES,
    *DESCENDANT_FAMILIES,
)


def family_of(keys: Collection[str]) -> NetworkFamily | None:
    """The family whose checkpoint has these tensors; None where no family is known by them."""
    return next((family for family in FAMILIES if family.recognises(keys)), None)


def family_of_kind(kind: str) -> NetworkFamily | None:
    """The family that files of our own call `kind`."""
    return next((family for family in FAMILIES if family.kind == kind), None)


def family_of_description(description: Any) -> NetworkFamily | None:
    """The family whose networks are built from such a description."""
    return next((f for f in FAMILIES if isinstance(description, f.description)), None)
