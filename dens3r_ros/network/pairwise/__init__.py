# SPDX-License-Identifier: Apache-2.0
"""Networks that look at a pair of images: the DUSt3R, MASt3R, Dens3R family."""
