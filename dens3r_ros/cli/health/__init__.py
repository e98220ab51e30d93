# SPDX-License-Identifier: Apache-2.0
"""What `dens3r doctor` looks at; standard library only: it runs where all else is missing."""
