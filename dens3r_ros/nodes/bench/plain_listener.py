# SPDX-License-Identifier: Apache-2.0
"""The listener without our settings for large messages, as RViz of a plain terminal is."""

from __future__ import annotations

from dens3r_ros.nodes.bench.listener import Listener
from dens3r_ros.nodes.starting.process import run_node

if __name__ == "__main__":
    raise SystemExit(run_node(Listener, tuned=False))
