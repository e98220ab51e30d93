# SPDX-License-Identifier: Apache-2.0
"""The commands below `dens3r evaluate`."""
