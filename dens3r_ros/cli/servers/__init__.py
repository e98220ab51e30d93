# SPDX-License-Identifier: Apache-2.0
"""Commands of a network on a server: serving one, and measuring what a fleet gets from it."""
