# SPDX-License-Identifier: Apache-2.0
"""From pair predictions to one consistent world: tracking, keyframes, graph, map."""
