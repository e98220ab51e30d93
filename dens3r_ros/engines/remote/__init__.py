# SPDX-License-Identifier: Apache-2.0
"""Networks on a server that speaks the open inference protocol (KServe v2): the client's side, and
in `server/` what runs there."""
