"""Makes `.venv` out of a lock, with the standard library alone: `python3.11 deploy/local/set_up.py [LOCK]`.

pip brings a pinned uv, and uv installs the lock, each file checked by its hash. uv does not read pip's configuration,
so this machine's own (index, wheel folder, certificates, proxy) is handed to it by environment.
"""

import hashlib
import os
import platform
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
_UV_NAMES = {
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "trusted-host": "UV_INSECURE_HOST",
}
_SCOPES = ("global", "user", "site", "install", ":env:")
_COMMA_LISTS = {"UV_FIND_LINKS"}


class SetUpError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main(lock_name: str) -> None:
    """Bring `.venv` to what `locks/<lock_name>.txt` says."""
    _check_the_machine(lock_name)
    lock, uv_lock = ROOT / "locks" / f"{lock_name}.txt", ROOT / "locks" / "uv.txt"
    stamp, wanted = VENV / "assay-lock", _digest(lock, uv_lock)
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    if not PYTHON.exists():
        _say(f"making {VENV}")
        venv.create(VENV, with_pip=True)
    _say("installing uv")
    _run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", uv_lock])
    _say(f"installing {_count(lock)} pinned packages from locks/{lock.name} (a few GB, and a minute to compile)")
    _install(lock, machine_environment())
    stamp.write_text(wanted)
    _say("set up")


def uv_environment(pip_settings: dict[str, str]) -> dict[str, str]:
    """uv's environment variables for pip's settings (`find-links`, `index-url`, …); what is set for uv stays."""
    # As pip does, look in every index for the best match: each file's hash is pinned, so none can slip in another.
    environment = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, value in pip_settings.items():
        if uv_name := _UV_NAMES.get(name):
            environment[uv_name] = ",".join(value.split()) if uv_name in _COMMA_LISTS else value
    return {name: value for name, value in environment.items() if name not in os.environ}


def pip_settings(listing: str) -> dict[str, str]:
    """Settings from what `pip config list` prints; the nearer scope wins, the environment over all."""
    found = re.findall(r"^(\S+?)\.([\w-]+)='(.*)'$", listing, re.MULTILINE)
    ordered = sorted(found, key=lambda item: _SCOPES.index(item[0]) if item[0] in _SCOPES else -1)
    return {name: value for _scope, name, value in ordered}


def machine_environment() -> dict[str, str]:
    """uv's environment variables for the pip settings of this machine."""
    command = [PYTHON, "-m", "pip", "config", "list"]
    return uv_environment(pip_settings(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def _install(lock: Path, environment: dict[str, str]) -> None:
    # Every process of the stack imports some thousand modules: compiled they take half the time, also where Python may
    # not write, or is told not to.
    options = ["--compile-bytecode", "--no-deps", "--require-hashes", "-r", lock]
    command = [VENV / "bin" / "uv", "pip", "install", "--python", PYTHON, *options]
    if _succeeds(command, environment):
        return
    if "+cpu" not in lock.read_text():
        raise SetUpError("the packages could not be installed; uv's message is above")
    _say("not all of it is where this machine's pip looks; trying once more with PyTorch's own index for processors")
    if not _succeeds([*command, "--torch-backend", "cpu"], environment):
        raise SetUpError(
            "The packages could not be installed; uv's message is above. If only torch is missing: put its wheel for\n"
            "processors (the +cpu version in the lock) into a folder, and run again with PIP_FIND_LINKS=<folder>."
        )


def _succeeds(command: list[str | Path], environment: dict[str, str]) -> bool:
    result = subprocess.run(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, check=False)
    return result.returncode == 0


def _run(command: list[str | Path]) -> None:
    if not _succeeds(command, {}):
        raise SetUpError(f"failed: {' '.join(map(str, command))}")


def _check_the_machine(lock_name: str) -> None:
    if sys.version_info[:2] != (3, 11):
        raise SetUpError(f"Python 3.11 is needed, not {platform.python_version()}: make setup PYTHON=<a python3.11>")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SetUpError(f"the lock '{lock_name}' is for Linux on x86-64; other machines have none yet")


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _count(lock: Path) -> int:
    return len(re.findall(r"^\S+==", lock.read_text(), re.MULTILINE))


def _say(line: str) -> None:
    print(f"setup: {line}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
    except SetUpError as error:
        sys.exit(f"setup: {error}")
