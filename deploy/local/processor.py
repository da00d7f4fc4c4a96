"""Detects processors that advertise AMX instructions but fault on them, as in some virtual machines."""

import os
import signal
import subprocess
import sys
from pathlib import Path

_PRODUCT = "import torch; a = torch.ones(512, 512, dtype=torch.bfloat16); print(float((a @ a)[0, 0]))"
_WITHOUT_AMX = "AVX512_CORE_FP16"


def faults_on_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True if AMX is advertised and a bf16 matrix product ends with SIGILL. Takes about 4 s, or 0 without AMX."""
    if not cpuinfo.exists() or "amx_tile" not in cpuinfo.read_text():
        return False
    # Test the processor even if this process was started with AMX disabled.
    environment = {name: value for name, value in os.environ.items() if name not in environment_without_amx()}
    command = [sys.executable, "-c", _PRODUCT]
    result = subprocess.run(command, capture_output=True, check=False, env=environment)
    return result.returncode == -signal.SIGILL


def environment_without_amx() -> dict[str, str]:
    """Environment that disables AMX in PyTorch's matrix products (oneDNN)."""
    return {"ONEDNN_MAX_CPU_ISA": _WITHOUT_AMX}
