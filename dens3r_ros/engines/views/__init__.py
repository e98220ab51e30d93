# SPDX-License-Identifier: Apache-2.0
"""What all engines of many views share."""
