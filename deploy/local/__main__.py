"""`python -m deploy.local up | down | link | status | logs | restart | backup | restore | garbage`: the local stack."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import backup, garbage, stack
from deploy.local.settings import LocalSettings
from deploy.local.supervision import SupervisionError, Supervisor


def main() -> int:
    arguments = _parser().parse_args()
    settings = LocalSettings()
    try:
        return int(arguments.run(settings, arguments) or 0)
    except (stack.StackError, SupervisionError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The local stack of Assay.")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("up", help="start everything and wait until it is ready").set_defaults(run=_up)
    commands.add_parser("down", help="stop everything; state is kept").set_defaults(run=_down)
    commands.add_parser("link", help="print a link that signs you in to the console once").set_defaults(run=_link)
    commands.add_parser("status", help="each program and its state").set_defaults(run=_status)
    logs = commands.add_parser("logs", help="follow the logs of all programs, or of those named")
    logs.add_argument("names", nargs="*")
    logs.set_defaults(run=_logs)
    restart = commands.add_parser("restart", help="stop one program and start it again")
    restart.add_argument("name")
    restart.set_defaults(run=_restart)
    saving = commands.add_parser("backup", help="write a backup of the stopped stack to a new folder")
    saving.add_argument("folder", type=Path)
    saving.set_defaults(run=_backup)
    restoring = commands.add_parser("restore", help="restore a backup into an empty state folder")
    restoring.add_argument("folder", type=Path)
    restoring.set_defaults(run=_restore)
    collecting = commands.add_parser("garbage", help="show the artifacts and cache entries that nothing names")
    collecting.add_argument("--remove", action="store_true", help="remove them")
    collecting.set_defaults(run=_garbage)
    return parser


def _up(settings: LocalSettings, _arguments: argparse.Namespace) -> None:
    stack.up(settings, _say)
    _say(stack.addresses(settings))


def _down(settings: LocalSettings, _arguments: argparse.Namespace) -> None:
    stack.down(settings, _say)


def _link(settings: LocalSettings, _arguments: argparse.Namespace) -> None:
    _say(stack.sign_in_link(settings))


def _status(settings: LocalSettings, _arguments: argparse.Namespace) -> int:
    supervisor = Supervisor(settings)
    if supervisor.pid() is None:
        _say("the stack is not running")
        return 3
    for state in supervisor.states():
        _say(f"{state['name']:<12} {state['statename']:<9} {state['description']}")
    return 0


def _logs(settings: LocalSettings, arguments: argparse.Namespace) -> int:
    paths = [settings.logs / f"{name}.log" for name in arguments.names] or sorted(settings.logs.glob("*.log"))
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        raise stack.StackError(f"no log at {', '.join(missing) or settings.logs}")
    try:
        return subprocess.run([shutil.which("tail") or "tail", "-n", "50", "-F", *paths], check=False).returncode
    except KeyboardInterrupt:
        return 0


def _restart(settings: LocalSettings, arguments: argparse.Namespace) -> None:
    supervisor = Supervisor(settings)
    if supervisor.pid() is None:
        raise stack.StackError("the stack is not running: start it with `make up`")
    supervisor.restart(arguments.name)
    _say(f"{arguments.name} restarted")


def _backup(settings: LocalSettings, arguments: argparse.Namespace) -> None:
    backup.save(settings, arguments.folder, _say)


def _restore(settings: LocalSettings, arguments: argparse.Namespace) -> None:
    backup.restore(settings, arguments.folder, _say)


def _garbage(settings: LocalSettings, arguments: argparse.Namespace) -> None:
    garbage.collect_garbage(settings, _say, remove=arguments.remove)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
