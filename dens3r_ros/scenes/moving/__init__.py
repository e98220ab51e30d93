# SPDX-License-Identifier: Apache-2.0
"""What moves in a world: people, doors, carts, lamps, vehicles; and screens that only change."""
