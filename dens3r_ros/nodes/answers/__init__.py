# SPDX-License-Identifier: Apache-2.0
"""What services work out beside the frames."""
