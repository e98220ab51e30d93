# SPDX-License-Identifier: Apache-2.0
"""If these fail, portrait images come out lying on their side."""

from __future__ import annotations

import torch

from dens3r_ros.network import PairPrediction, turn_back, turn_images

HEIGHT, WIDTH, FOCAL = 8, 6, 5.0


def rays(height: int, width: int) -> torch.Tensor:
    """Viewing rays of a camera with square pixels and a centred principal point."""
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = (u - (width - 1) / 2) / FOCAL, (v - (height - 1) / 2) / FOCAL
    return torch.stack((x, y, torch.ones_like(x)), dim=-1)[None]


def seen(image: torch.Tensor) -> PairPrediction:
    """What a perfect network sees in an image whose channels are depth and a normal's x and y.

    The image's own up is not known to it: it works in the frame of the image as given.
    """
    depth = image[:, 0, ..., None]
    points = depth * rays(*image.shape[2:])
    tilted = torch.nn.functional.normalize(-points, dim=-1)
    labels = image[:, 1:].permute(0, 2, 3, 1)
    return PairPrediction(
        points_a=points,
        points_b=points + 1,
        confidence_a=1 + depth[..., 0],
        confidence_b=2 + depth[..., 0],
        normals_a=tilted,
        normals_b=tilted,
        descriptors_a=labels,
        descriptors_b=labels,
        descriptor_confidence_a=3 + depth[..., 0],
        descriptor_confidence_b=4 + depth[..., 0],
    )


def portrait() -> torch.Tensor:
    return 1 + torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def test_images_turn_counter_clockwise() -> None:
    image = portrait()
    turned = turn_images(image)
    assert turned.shape == (1, 3, WIDTH, HEIGHT)
    assert torch.equal(turned[..., -1, 0], image[..., 0, 0])
    assert torch.equal(turned[..., 0, 0], image[..., 0, -1])


def test_turned_predicted_and_turned_back_is_as_predicted_upright() -> None:
    upright = seen(portrait())
    back = turn_back(seen(turn_images(portrait())))
    for name, value in vars(upright).items():
        if value is not None and name != "points_b":
            torch.testing.assert_close(getattr(back, name), value, msg=name)


def test_points_of_both_views_follow_the_first_view() -> None:
    turned = seen(turn_images(portrait()))
    both, only_a, only_b = turn_back(turned), turn_back(turned, b=False), turn_back(turned, a=False)
    x, y, z = turned.points_b.unbind(-1)
    torch.testing.assert_close(only_a.points_b, torch.stack((-y, x, z), dim=-1))
    torch.testing.assert_close(both.points_b, torch.rot90(only_a.points_b, -1, (1, 2)))
    torch.testing.assert_close(only_b.points_b, torch.rot90(turned.points_b, -1, (1, 2)))
    assert torch.equal(only_a.normals_b, turned.normals_b)
    torch.testing.assert_close(only_b.normals_b, both.normals_b)
    assert torch.equal(only_b.points_a, turned.points_a)


def test_what_is_not_there_stays_so() -> None:
    assert vars(turn_back(PairPrediction())) == vars(PairPrediction())
    prediction = seen(portrait())
    assert turn_back(prediction, a=False, b=False) is prediction
