# SPDX-License-Identifier: Apache-2.0
"""What is computed after a network: matches, cameras, graphs, alignment."""
