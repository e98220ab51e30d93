# SPDX-License-Identifier: Apache-2.0
"""Where every frame was."""
