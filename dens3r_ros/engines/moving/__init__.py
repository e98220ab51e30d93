# SPDX-License-Identifier: Apache-2.0
"""What moves in a run of images, found in a first pass over it, and engines for the second."""
