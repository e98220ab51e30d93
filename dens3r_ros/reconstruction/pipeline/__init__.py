# SPDX-License-Identifier: Apache-2.0
"""From an input to a scene in a folder: frames taken, mapped, refined, written."""
