# SPDX-License-Identifier: Apache-2.0
"""Sub-commands about splats."""
