# SPDX-License-Identifier: Apache-2.0
"""What the sub-commands share: sizes, files, progress, and errors that are expected."""
