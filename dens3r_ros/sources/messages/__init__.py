# SPDX-License-Identifier: Apache-2.0
"""Messages of cameras, as pixels and lenses."""
