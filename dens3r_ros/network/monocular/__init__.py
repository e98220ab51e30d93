# SPDX-License-Identifier: Apache-2.0
"""Networks that look at one image."""
