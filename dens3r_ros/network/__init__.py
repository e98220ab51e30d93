# SPDX-License-Identifier: Apache-2.0
"""The network family: pixels of a pair to pointmaps, confidence, normals and descriptors."""
