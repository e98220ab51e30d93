# SPDX-License-Identifier: Apache-2.0
"""Which images look alike: features of an encoder, and scores between sets of them."""
