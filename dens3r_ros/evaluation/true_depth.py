# SPDX-License-Identifier: Apache-2.0
"""True depth as a network might show it, and the frame that it belongs to."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.sources.source import Source


def index_of_stamp(source: Source, stamp: int, known: dict[int, int]) -> int:
    """Index of the source's frame of that stamp; `known` remembers the frames looked at so far,
    which need not be made where the source tells their stamps without."""
    stamp_of = getattr(source, "stamp", lambda index: source[index].stamp)
    while stamp not in known:
        after = max(known.values(), default=-1) + 1
        if after == len(source):
            raise KeyError(f"{source.name} has no frame at {stamp} ns")
        known[stamp_of(after)] = after
    return known[stamp]


def filled(depth: np.ndarray, bleed: int) -> np.ndarray:
    """Depth with holes filled by what is nearest and near and far mixed around edges."""
    known = np.isfinite(depth)
    whole = depth.copy()
    if not known.all() and known.any():
        _, labels = cv2.distanceTransformWithLabels(
            (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        source = np.zeros(int(labels.max()) + 1, np.float32)
        source[labels[known]] = depth[known]
        whole = source[labels]
    if bleed <= 0:
        return whole
    kernel = np.ones((2 * bleed + 1, 2 * bleed + 1), np.uint8)
    edge = cv2.dilate(whole, kernel) > 1.1 * cv2.erode(whole, kernel)
    mixed = cv2.blur(whole, kernel.shape)
    return np.where(edge, mixed, whole).astype(np.float32)
