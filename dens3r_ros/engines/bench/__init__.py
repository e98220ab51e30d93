# SPDX-License-Identifier: Apache-2.0
"""How long engines take, stage by stage."""
