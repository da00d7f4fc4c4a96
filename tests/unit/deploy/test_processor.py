"""The processor probe detects a processor that faults on AMX instructions."""

from pathlib import Path

import pytest

from deploy.local import processor


@pytest.mark.parametrize("already_without", [False, True])
def test_the_probe_runs_with_amx_even_if_its_parent_disabled_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, already_without: bool
) -> None:
    """Stands in for such a processor: a matrix product that dies unless AMX is disabled."""
    (variable,) = processor.environment_without_amx()
    dies = f"import os, signal; {variable!r} in os.environ or os.kill(os.getpid(), signal.SIGILL)"
    monkeypatch.setattr(processor, "_PRODUCT", dies)
    if already_without:
        monkeypatch.setenv(*next(iter(processor.environment_without_amx().items())))
    else:
        monkeypatch.delenv(variable, raising=False)
    announced = tmp_path / "cpuinfo"
    announced.write_text("flags: avx512_bf16 amx_tile amx_bf16")
    assert processor.faults_on_amx(announced)
    announced.write_text("flags: avx2")
    assert not processor.faults_on_amx(announced)
