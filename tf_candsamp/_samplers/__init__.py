# SPDX-License-Identifier: Apache-2.0
"""What the sampler objects share: the base class, its random state, and how it is saved."""
