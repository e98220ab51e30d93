# SPDX-License-Identifier: Apache-2.0
"""Where the node's transforms meet another's: what is wrong, and which settings to use."""

from __future__ import annotations

from collections.abc import Sequence

from dens3r_ros.nodes.messages.tf_tree import OthersTree, ParentClaim
from dens3r_ros.nodes.settings.config import FrameParameters


def obstacle(
    frames: FrameParameters, body: str, tree: OthersTree, began: float | None
) -> str | None:
    """Why the node must not publish its transforms; None where it may.

    `body` is the frame that poses are given for; `began`: monotonic seconds when the node first
    published, None before. Where somebody was first, or gives a frame another parent, he is in the
    right: tf2 would see a frame jump between two places.
    """
    for parent, child in owned(frames, body):
        link = tree.link(child)
        if link is None or (link.parent == parent and not _first(link, began, child, frames)):
            continue
        return (
            f"{_whose(link, child)}, and a frame has one parent: no transforms are published here. "
            f"{advice(frames, child, tree.above(child))}"
        )
    return None


def rivalry(frames: FrameParameters, body: str, tree: OthersTree) -> str | None:
    """Who else publishes the very transforms that the node publishes; None where nobody does."""
    for parent, child in owned(frames, body):
        link = tree.link(child)
        if link is not None and link.parent == parent:
            return (
                f"{_whose(link, child)}, as here: the two mix, and whoever reads them sees jumps. "
                "Give each node names of its own (frames.prefix: robot1/, or prefix:=robot1/ of "
                "the launch files), or set frames.tf_mode to none in one of them"
            )
    return None


def owned(frames: FrameParameters, body: str) -> list[tuple[str, str]]:
    """(parent, child) of what the node publishes, the body's first."""
    if frames.tf_mode == "none":
        return []
    to_odom = [(frames.map, frames.odom)]
    return [(frames.odom, body), *to_odom] if frames.tf_mode == "odom_and_map" else to_odom


def advice(frames: FrameParameters, child: str, above: Sequence[str]) -> str:
    """Which settings suit a tree in which these frames, `child` first, lie one above the other."""
    if frames.odom in above[1:]:
        base = above[above.index(frames.odom) - 1]
        return (
            f"Something publishes {frames.odom} -> {base}, as a robot's odometry does: set "
            f"frames.base to {base} and frames.tf_mode to map_to_odom (base:={base} "
            "tf_mode:=map_to_odom); input.scale_from tf then makes lengths metres as well"
        )
    if child == frames.odom or frames.map in above[1:]:
        return "Another node localises already: set frames.tf_mode to none, or frames.prefix"
    return (
        f"Set frames.base to {above[-1]}, the root of that tree (base:={above[-1]}), so that "
        f"{frames.odom} -> {above[-1]} is published instead"
    )


def _first(link: ParentClaim, began: float | None, child: str, frames: FrameParameters) -> bool:
    """Whether another's odometry was there before; `map` to `odom` may be corrected by several,
    one after another."""
    return child != frames.odom and (link.fixed or began is None or link.since < began)


def _whose(link: ParentClaim, child: str) -> str:
    topic = "/tf_static" if link.fixed else "/tf"
    by = f" by {link.publisher}" if link.publisher else " by another node"
    return f"{link.parent} -> {child} is published on {topic}{by}"
