# SPDX-License-Identifier: Apache-2.0
"""Two views of one scene: dense flow, relative pose, triangulation."""
