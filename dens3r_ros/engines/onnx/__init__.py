# SPDX-License-Identifier: Apache-2.0
"""Networks exported to ONNX, and run by ONNX Runtime."""
