"""docs/hub.md names tests; they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_table_names_exists():
    named, path = [], None
    for file, test in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", (ROOT / "docs" / "hub.md").read_text()):
        path = file or path
        named.append((path, test))
    assert len(named) > 60
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"
