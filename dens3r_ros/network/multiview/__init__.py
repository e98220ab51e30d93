# SPDX-License-Identifier: Apache-2.0
"""Networks that look at any number of images of a scene at once."""
