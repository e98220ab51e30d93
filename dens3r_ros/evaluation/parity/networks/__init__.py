# SPDX-License-Identifier: Apache-2.0
"""Networks with the weights of a file, and what they give for its images."""
