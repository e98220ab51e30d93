# SPDX-License-Identifier: Apache-2.0
"""If these fail, the node falls behind the camera, loses replayed frames or hangs at shutdown."""

import threading

from dens3r_ros.nodes.inputs.mailbox import Mailbox


def test_latest_keeps_only_the_newest_of_each_camera() -> None:
    box: Mailbox[int] = Mailbox(capacity=1, keep_latest=True)
    assert box.put("front", 1) is None
    assert box.put("rear", 10) is None
    assert box.put("front", 2) == 1
    assert [box.take(), box.take()] == [10, 2]


def test_every_refuses_what_does_not_fit_and_keeps_the_order() -> None:
    box: Mailbox[int] = Mailbox(capacity=2, keep_latest=False)
    assert [box.put("front", i) for i in range(3)] == [None, None, 2]
    assert [box.take(), box.take()] == [0, 1]


def test_closing_wakes_a_waiting_worker() -> None:
    box: Mailbox[int] = Mailbox(capacity=1, keep_latest=True)
    seen: list[int | None] = []
    worker = threading.Thread(target=lambda: seen.append(box.take()), daemon=True)
    worker.start()
    box.close()
    worker.join(timeout=5)
    assert seen == [None]


def test_clearing_tells_how_many_were_lost() -> None:
    box: Mailbox[int] = Mailbox(capacity=5, keep_latest=False)
    for i in range(3):
        box.put("front", i)
    assert (box.clear(), len(box)) == (3, 0)


def test_one_step_of_longer_work_lets_one_image_pass() -> None:
    """Or a photo that is looked for stops the robot's eyes."""
    box: Mailbox[str] = Mailbox(capacity=5, keep_latest=False)
    for name in ("first", "second"):
        box.put("front", name)
    box.put_second("step")
    box.put_first("reset")
    assert box.clear() == 2 and box.put("front", "third") is None
    assert [box.take() for _ in range(3)] == ["reset", "step", "third"]
    for name in ("first", "second"):
        box.put("front", name)
    box.put_second("step")
    box.put_first("reset")
    assert len(box) == 2
    assert [box.take() for _ in range(4)] == ["reset", "first", "step", "second"]
