# SPDX-License-Identifier: Apache-2.0
"""What several families of networks are built from; nothing here knows a family."""
