# SPDX-License-Identifier: Apache-2.0
"""How many metres the map's unit is, from what a robot knows beside its images."""
