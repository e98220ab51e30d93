# SPDX-License-Identifier: Apache-2.0
"""Looking at runs while they last, and at what they leave."""
