"""Makes `.venv` from a lock, with the standard library alone: `python3.11 deploy/local/set_up.py [LOCK]`.

pip installs a pinned uv. uv then makes `.venv` hold exactly what the lock lists: it checks each file by its hash and
removes packages that the lock no longer lists. pip itself stays. uv does not read pip's configuration, so set-up hands
this machine's settings (index, wheel folder, certificates, proxy) to uv by environment variables.
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
    """The environment cannot be made; the message says why, and what to do."""


def main(lock_name: str) -> None:
    """Make `.venv` hold what `locks/<lock_name>.txt` lists; does nothing if it already does."""
    _check_machine(lock_name)
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
    _say(f"installing {_count(lock)} pinned packages from locks/{lock.name} (a few GB; compiling them takes a minute)")
    _install(lock, uv_lock, machine_environment())
    stamp.write_text(wanted)
    _say("done")


def uv_environment(pip_settings: dict[str, str]) -> dict[str, str]:
    """uv's environment variables for pip's settings (`find-links`, `index-url`, …), except what is set already."""
    # Search every index for the best match, as pip does. Each file's hash is pinned, so no index can supply another.
    environment = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, value in pip_settings.items():
        if uv_name := _UV_NAMES.get(name):
            environment[uv_name] = ",".join(value.split()) if uv_name in _COMMA_LISTS else value
    return {name: value for name, value in environment.items() if name not in os.environ}


def pip_settings(listing: str) -> dict[str, str]:
    """Settings from the output of `pip config list`; the nearest scope wins, and the environment wins over all."""
    found = re.findall(r"^(\S+?)\.([\w-]+)='(.*)'$", listing, re.MULTILINE)
    ordered = sorted(found, key=lambda item: _SCOPES.index(item[0]) if item[0] in _SCOPES else -1)
    return {name: value for _scope, name, value in ordered}


def machine_environment() -> dict[str, str]:
    """uv's environment variables for the pip settings of this machine."""
    command = [PYTHON, "-m", "pip", "config", "list"]
    return uv_environment(pip_settings(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def sync_command(*locks: Path) -> list[str | Path]:
    """The command that makes `.venv` hold exactly the packages of `locks`."""
    # Each process of the stack imports about a thousand modules. Compiled ahead they load in half the time, also where
    # Python may not write compiled files.
    options = ["--compile-bytecode", "--require-hashes"]
    return [VENV / "bin" / "uv", "pip", "sync", "--python", PYTHON, *options, *locks]


def _install(lock: Path, uv_lock: Path, environment: dict[str, str]) -> None:
    # uv's own lock is part of the list, or uv would uninstall another version of itself.
    command = sync_command(uv_lock, lock)
    if _succeeds(command, environment):
        return
    if "+cpu" not in lock.read_text():
        raise SetUpError("the packages could not be installed; see uv's message above")
    _say("this machine's pip index lacks some packages; trying once more with PyTorch's CPU index")
    if not _succeeds([*command, "--torch-backend", "cpu"], environment):
        raise SetUpError(
            "the packages could not be installed; see uv's message above. If only torch is missing, put its CPU wheel\n"
            "(the +cpu version in the lock) into a folder and run again with PIP_FIND_LINKS=<folder>."
        )


def _succeeds(command: list[str | Path], environment: dict[str, str]) -> bool:
    result = subprocess.run(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, check=False)
    return result.returncode == 0


def _run(command: list[str | Path]) -> None:
    if not _succeeds(command, {}):
        raise SetUpError(f"failed: {' '.join(map(str, command))}")


def _check_machine(lock_name: str) -> None:
    if sys.version_info[:2] != (3, 11):
        raise SetUpError(
            f"needs Python 3.11, found {platform.python_version()}: run make setup PYTHON=<path of a 3.11>"
        )
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SetUpError(f"the lock '{lock_name}' is for Linux on x86-64; there is no lock for other machines yet")


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
