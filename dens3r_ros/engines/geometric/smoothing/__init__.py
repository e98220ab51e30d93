# SPDX-License-Identifier: Apache-2.0
"""Maps made smooth where the image is, and planes fitted to them."""
