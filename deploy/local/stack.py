"""Starts and stops the stack: prepares what the programs need and waits until each is ready."""

import fcntl
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import httpx

from deploy.local import base_model, nats_passwords, processor, readiness, supervision
from deploy.local.private_files import write_private
from deploy.local.programs import Program, nats_config, programs
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Supervisor

Say = Callable[[str], None]
_TAIL_LINES = 25


class StackError(Exception):
    """The stack cannot start; the message says what to do."""


def up(settings: LocalSettings, say: Say, only: tuple[str, ...] = ()) -> None:
    """Start missing programs and wait until they are ready. Running it again starts nothing twice.

    `only` names the programs to start; empty means all.
    """
    settings.logs.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(settings, say):
        supervisor = Supervisor(settings)
        passwords = nats_passwords.made_once(settings)
        wanted = [program for program in programs(settings, passwords) if not only or program.name in only]
        running = supervisor.running()
        missing = [program for program in wanted if program.name not in running]
        refuse_taken_ports(missing)
        if supervisor.pid() is None:
            _start_supervision(settings, passwords, supervisor, say)
        supervisor.start_programs([program.name for program in missing])
        say(f"{len(missing)} programs started under supervisord" if missing else "everything is running already")
    _wait_until_ready(settings, [program.name for program in wanted], say)


def down(settings: LocalSettings, say: Say) -> None:
    """Stop the programs of this state folder and nothing else; their data is kept."""
    supervisor = Supervisor(settings)
    if supervisor.pid() is None:
        say("the stack is not running")
        return
    with _one_at_a_time(settings, say):
        supervisor.shutdown()
    say(f"the stack is stopped; its state is in {settings.state}")


@contextmanager
def _one_at_a_time(settings: LocalSettings, say: Say) -> Generator[None]:
    """One command at a time starts or stops this stack; another one waits."""
    with (settings.state / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command starts or stops this stack; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def addresses(settings: LocalSettings) -> str:
    """The addresses and paths for using the stack."""
    return (
        f"gateway    {settings.gateway_url}/v1   (OpenAI-compatible)\n"
        f"console    {sign_in_link(settings)}   (signs you in once; `make link` prints another)\n"
        f"admin key  {settings.admin_key_file}\n"
        f"logs       {settings.logs}"
    )


def sign_in_link(settings: LocalSettings) -> str:
    """A link that signs its reader in to the console as the administrator, once."""
    key = settings.admin_key_file.read_text().strip()
    headers = {"authorization": f"Bearer {key}"}
    try:
        answer = httpx.post(f"{settings.gateway_url}/v1/sign_in_links", headers=headers, timeout=10)
        return str(answer.raise_for_status().json()["url"])
    except httpx.HTTPError as error:
        raise StackError(
            f"the gateway gave no sign-in link ({error}): does the stack run? see `make status`"
        ) from error


def tail(settings: LocalSettings, name: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a program's log."""
    path = settings.logs / f"{name}.log"
    if not path.exists():
        return f"(no log at {path})"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _start_supervision(settings: LocalSettings, passwords: Mapping[str, str], supervisor: Supervisor, say: Say) -> None:
    # This probe takes seconds; only the configuration depends on it.
    amx = not processor.faults_on_amx()
    say(f"state in {settings.state_dir}")
    if base_model.unpack(settings.base_model_dir):
        say("base model unpacked")
    _make_admin_key(settings)
    extra = {} if amx else processor.environment_without_amx()
    for folder in ("nats", "mongo", "artifacts", "cache"):
        (settings.state / folder).mkdir(exist_ok=True)
    write_private(settings.nats_config_file, nats_config(settings, passwords))
    configured = supervision.configuration(settings, programs(settings, passwords, amx), extra)
    write_private(settings.supervisor_config, configured)
    supervisor.start()


def refuse_taken_ports(wanted_programs: Iterable[Program]) -> None:
    """Raise `StackError` with each port that is taken, and the setting that changes it."""
    wanted = [
        (p.environment.get("ASSAY_HTTP_HOST", "127.0.0.1"), port, setting, p.name)
        for p in wanted_programs
        for setting, port in p.ports.items()
    ]
    complaints = [
        f"port {port} for {name} is taken by another program: free it, or set {setting} to another port"
        for host, port, setting, name in wanted
        if is_taken(host, port)
    ]
    if complaints:
        raise StackError("\n".join(complaints))


def is_taken(host: str, port: int) -> bool:
    """Whether a server bound to this address would fail now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _make_admin_key(settings: LocalSettings) -> None:
    if settings.admin_key_file.exists() and settings.keys_file.exists():
        return
    command = [sys.executable, "-m", "shared.security", "create", "--name", "admin", "--scope", "admin"]
    result = subprocess.run(
        [*command, "--keys-file", str(settings.keys_file)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise StackError(f"cannot create the admin key: {result.stderr}")
    write_private(settings.admin_key_file, result.stdout.strip() + "\n")


def _wait_until_ready(settings: LocalSettings, names: list[str], say: Say) -> None:
    probes = {name: probe for name, probe in readiness.probes(settings).items() if name in names}
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        waits = {pool.submit(readiness.wait, probe, settings.ready_timeout_s): name for name, probe in probes.items()}
        failed: list[str] = []
        for done in as_completed(waits):
            name = waits[done]
            try:
                say(f"  {name:<12} ready after {done.result():.0f} s")
            except readiness.NotReady as error:
                failed.append(f"{name}: {error}\n--- end of its log ---\n{tail(settings, name)}")
    if failed:
        raise StackError("\n\n".join(failed))
