# SPDX-License-Identifier: Apache-2.0
"""Live dense geometry from plain cameras, for ROS 2."""

from pkgutil import extend_path

# The generated dens3r_ros.msg and dens3r_ros.srv lie in colcon's install folder, not beside this.
__path__ = extend_path(__path__, __name__)
