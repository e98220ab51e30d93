# SPDX-License-Identifier: Apache-2.0
"""What it costs a map that its network runs on a server."""
