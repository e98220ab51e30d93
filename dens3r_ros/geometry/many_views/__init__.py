# SPDX-License-Identifier: Apache-2.0
"""Many views of one scene: poses averaged, views made one, what sparse alignment minimises."""
