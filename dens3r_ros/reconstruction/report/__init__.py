# SPDX-License-Identifier: Apache-2.0
"""One page that shows and tells how a reconstruction went."""
