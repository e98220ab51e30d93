# SPDX-License-Identifier: Apache-2.0
"""What moves by itself in what a camera sees."""
