"""Where results are left."""

from pathlib import Path

import pytest

from sstpca.disk.guard import keep_to_owner
from tests.support import results


def test_a_home_can_come_to_be_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "OUT", tmp_path / "out")
    (tmp_path / "out").mkdir(mode=0o755)
    (results.folder("bench") / "bench.json").write_text("{}")
    keep_to_owner(tmp_path / "out", new=True)
