"""A service starts without the libraries that take seconds to import; its workers or first uses import them."""

import subprocess
import sys

SERVICES = ("evaluator", "gateway", "ingest", "review", "trainer")
SLOW = {"datasets", "lm_eval", "nltk", "pandas", "peft", "scipy", "sklearn", "torch", "transformers", "trl", "vllm"}


def test_no_service_imports_a_slow_library_at_its_start() -> None:
    imports = "\n".join(f"import services.{name}.__main__" for name in SERVICES)
    script = f"{imports}\nimport sys\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert SLOW & set(ran.stdout.split()) == set()
