# SPDX-License-Identifier: Apache-2.0
"""Networks on a server that speaks the open inference protocol (KServe v2): the robot's side."""
