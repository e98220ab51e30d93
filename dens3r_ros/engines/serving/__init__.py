# SPDX-License-Identifier: Apache-2.0
"""What runs on the server: answers to calls, with any engine of ours, inside Triton."""
