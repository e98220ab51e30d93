# SPDX-License-Identifier: Apache-2.0
"""If these fail, a node that was deactivated still publishes, or slow maps stop the poses."""

from __future__ import annotations

import threading

from dens3r_ros.nodes.outputs.outlet import Outlet


def test_nothing_goes_out_before_it_is_opened_and_after_it_is_shut() -> None:
    outlet, sent = Outlet(), []
    assert not outlet.send(lambda: sent.append(0))
    outlet.open()
    assert outlet.send(lambda: sent.append(1))
    outlet.shut()
    assert not outlet.send(lambda: sent.append(2))
    assert sent == [1]


def test_one_publishes_while_another_is_under_way_and_shutting_waits_for_both() -> None:
    outlet, begun, release = Outlet(), threading.Event(), threading.Event()
    outlet.open()
    slow = threading.Thread(target=lambda: outlet.send(lambda: (begun.set(), release.wait(10))))
    slow.start()
    assert begun.wait(10)
    assert outlet.send(lambda: None)
    shut = threading.Thread(target=outlet.shut)
    shut.start()
    shut.join(0.2)
    assert shut.is_alive()
    release.set()
    shut.join(10)
    slow.join(10)
    assert not shut.is_alive()


def test_what_fails_to_publish_does_not_keep_it_from_shutting() -> None:
    outlet = Outlet()
    outlet.open()
    try:
        outlet.send(lambda: 1 / 0)
    except ZeroDivisionError:
        outlet.shut()
    assert not outlet.send(lambda: None)
