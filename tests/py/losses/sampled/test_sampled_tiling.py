# SPDX-License-Identifier: Apache-2.0
"""The sizes that tests take from helpers/tiling.py are those of the C++ header."""

import json
import subprocess

import pytest
import tiling
from processes import ROOT

ROWS = range(1, 2 * tiling.LARGE_BATCH)
COLUMNS = range(1, 3 * tiling.panel_columns(1))
DEPTHS = range(1, 2 * tiling.DEPTH_OF_LARGE_PANELS)

PROGRAM = """
#include <cstdint>
#include <cstdio>
#include "{header}"

template <class Function>
void Print(const char* name, int64_t end, Function value) {{
  std::printf("\\"%s\\": [", name);
  for (int64_t n = 1; n < end; ++n) {{
    std::printf(n > 1 ? ",%lld" : "%lld", static_cast<long long>(value(n)));
  }}
  std::printf("],");
}}

int main() {{
  using namespace candsamp;
  std::printf("{{");
  Print("rows", {rows}, [](int64_t n) {{ return RowBlocks(n).longest(); }});
  Print("columns", {columns}, [](int64_t n) {{ return ColumnBlocks(n).longest(); }});
  Print("depths", {depths}, [](int64_t n) {{ return PanelBlocks(n); }});
  std::printf("\\"constants\\": [%d, %d]}}", int(kRowBlock), int(kColumnBlock));
}}
"""


@pytest.fixture(scope="module")
def of_header(tmp_path_factory):
    """What the functions and constants of the header are, by a program that includes it."""
    defining = [p for p in ROOT.glob("cc/lib/**/*.h") if "int64_t kColumnBlock =" in p.read_text()]
    assert len(defining) == 1, defining
    folder = tmp_path_factory.mktemp("tiling")
    source, program = folder / "print.cc", folder / "print"
    text = PROGRAM.format(
        header=defining[0].relative_to(ROOT),
        rows=ROWS.stop,
        columns=COLUMNS.stop,
        depths=DEPTHS.stop,
    )
    source.write_text(text)
    command = ["g++", "-std=c++17", "-I", str(ROOT), str(source), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert built.returncode == 0, built.stderr
    return json.loads(subprocess.run([program], capture_output=True, check=True).stdout)


def test_constants(of_header):
    assert of_header["constants"] == [tiling.ROW_BLOCK, tiling.COLUMN_BLOCK]


def test_rows_of_a_block(of_header):
    want = [min(n, tiling.row_block(n)) for n in ROWS]
    assert of_header["rows"] == want


def test_columns_of_a_block(of_header):
    assert of_header["columns"] == [tiling.column_block(n) for n in COLUMNS]


def test_blocks_of_a_panel(of_header):
    assert of_header["depths"] == [tiling.panel_blocks(n) for n in DEPTHS]
