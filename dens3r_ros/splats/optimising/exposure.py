# SPDX-License-Identifier: Apache-2.0
"""How much brighter or bluer each image of a camera came out than the scene is."""

from __future__ import annotations

import torch
from torch import Tensor

_RATE = 2e-3


class Exposures:
    """A gain and an offset for each colour of each image, learned beside the splats.

    Their means over all images are held at 1 and 0, so that the scene keeps its brightness.
    """

    def __init__(self, images: int, device: torch.device) -> None:
        self._log_gains = torch.zeros(images, 3, device=device, requires_grad=True)
        self._offsets = torch.zeros(images, 3, device=device, requires_grad=True)
        self._adam = torch.optim.Adam([self._log_gains, self._offsets], lr=_RATE)

    def applied(self, index: int, image: Tensor) -> Tensor:
        """What the image (H, W, 3) of the scene looks like with the exposure of that index."""
        return image * self._log_gains[index].exp() + self._offsets[index]

    def step(self) -> None:
        """Follow the gradients."""
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            for values in (self._log_gains, self._offsets):
                values -= values.mean(0)
