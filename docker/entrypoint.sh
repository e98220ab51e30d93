#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ROS, the package and its Python environment, then what was asked for.
set -e
source "/opt/ros/${ROS_DISTRO:-jazzy}/setup.bash"
[ ! -f /ws/venv/bin/activate ] || source /ws/venv/bin/activate
source /ws/install/setup.bash
exec "$@"
