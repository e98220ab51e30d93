# SPDX-License-Identifier: Apache-2.0
"""Single images placed in a saved map."""
