# SPDX-License-Identifier: Apache-2.0
"""From updates of the map to topics."""
