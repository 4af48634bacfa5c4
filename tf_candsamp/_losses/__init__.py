# SPDX-License-Identifier: Apache-2.0
"""What the two families of losses share."""
