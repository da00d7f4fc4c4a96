"""Keep the stream of facts short: move old ones into files, or put them back before a replay.

`ASSAY_NATS_URL` must name the user `operator` where NATS has users.
"""

import argparse
from datetime import UTC, datetime, timedelta

from shared.archive.rebuilding import restore
from shared.archive.segments import Archive, ArchiveError, archive_url
from shared.archive.shortening import shorten
from shared.backup.contents import BackupError
from shared.backup.streams import Streams
from shared.nats_users import OPERATOR
from shared.operator_commands import connected, result_of
from shared.settings import CommonSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.archive", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shortening = commands.add_parser("shorten", help="archive old facts; the services may run")
    shortening.add_argument("--days", type=float, default=90, help="facts older than this (default: 90)")
    restoring = commands.add_parser("restore", help="put all archived facts back; stop the services first")
    for command in (shortening, restoring):
        command.add_argument("--archive", help="folder or URL of the files (default: events/ in ASSAY_ARTIFACTS)")
    asked = parser.parse_args()
    print(result_of(_run(CommonSettings(), asked), ArchiveError, BackupError, OSError))


async def _run(settings: CommonSettings, asked: argparse.Namespace) -> str:
    archive = Archive(asked.archive or archive_url(settings))
    async with connected(settings, OPERATOR) as client:
        js = client.jetstream(timeout=30)
        if asked.command == "restore":
            await Streams(client).check_stopped()
            return f"the stream holds all {await restore(js, archive, settings, _say):,} events"
        done = await shorten(js, archive, datetime.now(UTC) - timedelta(days=asked.days), _say)
    held = f"; {done.held_back_by} has not handled the next one" if done.held_back_by else ""
    return f"{done.removed:,} events were removed from the stream{held}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
