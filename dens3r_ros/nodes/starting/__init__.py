# SPDX-License-Identifier: Apache-2.0
"""Starting processes: launch files, middleware, the engine."""
