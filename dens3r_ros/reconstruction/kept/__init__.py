# SPDX-License-Identifier: Apache-2.0
"""What a run keeps of its images for what comes after them."""
