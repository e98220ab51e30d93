# SPDX-License-Identifier: Apache-2.0
"""What `make setup` does: standard library only, since it runs before anything is installed."""
