# SPDX-License-Identifier: Apache-2.0
"""Making keyframes of frames, linking them, and keeping some of them live."""
