# SPDX-License-Identifier: Apache-2.0
"""A recorded walk through the whole system: camera and node as processes, watched by a third."""
