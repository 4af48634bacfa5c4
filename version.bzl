# SPDX-License-Identifier: Apache-2.0
"""The version of the package; everything else that states it is generated from here."""

VERSION = "0.1.0"
