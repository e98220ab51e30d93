# SPDX-License-Identifier: Apache-2.0
"""How far training has come, on pairs held out."""
