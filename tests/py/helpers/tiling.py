# SPDX-License-Identifier: Apache-2.0
"""How the losses with shared candidates cut the matrix of logits, for sizes around its edges.

This mirrors the C++ header that defines kColumnBlock; test_sampled_tiling.py compares the two.
"""

ROW_BLOCK = 128
COLUMN_BLOCK = 192
VECTOR = 16
# Smaller batches are cut into half as many rows.
LARGE_BATCH = 4 * ROW_BLOCK
# Deeper inputs are cut into panels of half as many blocks.
DEPTH_OF_LARGE_PANELS = 256


def row_block(rows):
    """The most rows of a block."""
    return ROW_BLOCK if rows >= LARGE_BATCH else ROW_BLOCK // 2


def column_block(columns):
    """The most columns of a block, of an even number of them that are about equal."""
    if columns <= COLUMN_BLOCK:
        return columns
    count = 2 * -(-columns // (2 * COLUMN_BLOCK))
    vectors = -(-columns // VECTOR)
    return -(-vectors // count) * VECTOR


def panel_blocks(depth):
    """The most blocks of a panel."""
    return 8 if depth <= DEPTH_OF_LARGE_PANELS else 4


def panel_columns(depth):
    """The most columns of a panel."""
    return panel_blocks(depth) * COLUMN_BLOCK
