# SPDX-License-Identifier: Apache-2.0
"""How one image stands to another, without lengths: by a network of its own, or by any engine."""
