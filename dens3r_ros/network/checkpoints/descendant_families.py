# SPDX-License-Identifier: Apache-2.0
"""Published checkpoints of the networks that were made of pairwise ones."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from dens3r_ros.network.checkpoints.family import NetworkFamily
from dens3r_ros.network.descendants import (
    align3r,
    das3r,
    describing,
    mvdust3r,
    noposplat,
    reloc3r,
    spann3r,
    splatt3r,
)
from dens3r_ros.network.descendants.base import DescendantNetwork


def _family(
    module: ModuleType,
    network: type[DescendantNetwork],
    description: type[Any],
    *marks: str,
    prefix: str = "",
) -> NetworkFamily:
    """A family whose module has `describe` and `own_name`, and `is_unused` where it differs."""
    return NetworkFamily(
        kind=network.FAMILY,
        title=network.TITLE,
        description=description,
        network=network,
        marks=marks,
        describe=module.describe,
        own_name=module.own_name,
        is_unused=getattr(module, "is_unused", describing.is_unused),
        prefix=prefix,
    )


DESCENDANT_FAMILIES = (
    _family(
        reloc3r,
        reloc3r.Reloc3r,
        reloc3r.Reloc3rDescription,
        "enc_norm.weight",
        "pose_head.fc_t.weight",
    ),
    _family(
        spann3r,
        spann3r.Spann3R,
        spann3r.Spann3RDescription,
        "dust3r.enc_norm.weight",
        "attn_head_1.0.weight",
        "value_out.weight",
    ),
    _family(
        mvdust3r,
        mvdust3r.MvDust3r,
        mvdust3r.MvDust3rDescription,
        "enc_norm.weight",
        "downstream_GS_head.0.norm.weight",
    ),
    _family(
        noposplat,
        noposplat.NoPoSplat,
        noposplat.NoPoSplatDescription,
        "backbone.enc_norm.weight",
        "gaussian_param_head.dpt.head.4.weight",
        prefix="encoder.",
    ),
    _family(
        splatt3r,
        splatt3r.Splatt3R,
        splatt3r.Splatt3RDescription,
        "enc_norm.weight",
        "downstream_head1.gaussian_dpt.dpt.head.4.weight",
        prefix="encoder.",
    ),
    _family(
        align3r,
        align3r.Align3R,
        align3r.Align3RDescription,
        "enc_norm.weight",
        "patch_embed_point_cloud.proj.weight",
    ),
    _family(
        das3r,
        das3r.Das3r,
        das3r.Das3rDescription,
        "enc_norm.weight",
        "downstream_head_dynamic_mask1.dpt.head.4.weight",
    ),
)
