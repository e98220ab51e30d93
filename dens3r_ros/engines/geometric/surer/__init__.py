# SPDX-License-Identifier: Apache-2.0
"""What a pair tells once more, from what it told first: flow led by motion and depth, and motion by
corners alone."""
