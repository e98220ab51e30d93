# SPDX-License-Identifier: Apache-2.0
"""How the map goes on where pairs with the last keyframe cannot: by a place that tracking knows, or
by a piece that nothing ties to the others yet."""
