# SPDX-License-Identifier: Apache-2.0
"""What is known once all frames are seen: poses, lens and depth that agree best."""
