"""Merged weights on the gateway's disk."""

from pathlib import Path
from typing import Any

from services.gateway.serving.service.weight_swaps import WeightSwaps


async def test_only_the_gateways_own_merged_weights_of_versions_that_are_not_wanted_are_deleted(tmp_path: Path) -> None:
    names = ("v-1.0123abcd.boot", "v-2.0123abcd.boot", "0123456789abcdef", ".v-3.0123abcd.boot.scratch")
    for name in names:
        (tmp_path / name).mkdir()
    unused: Any = None
    await WeightSwaps(loader=unused, leases=unused, merged=tmp_path).forget({"v-1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*names} - {"v-2.0123abcd.boot"})
