"""Save everything that the services keep, or restore it into empty servers.

Stop the services first; NATS and MongoDB go on. The settings are those of the services, `ASSAY_NATS_URL` with the
user `operator` and `ASSAY_MONGO_URL` with a user who may read and write all databases of the services.
"""

import argparse
from pathlib import Path

from shared.archive.segments import ArchiveError
from shared.artifacts import ArtifactStoreAway
from shared.backup.backup import restore, save
from shared.backup.contents import BackupError
from shared.backup.databases import DatabaseError
from shared.operator_commands import result_of
from shared.settings import CommonSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    saving = commands.add_parser("save", help="write a backup to a new folder")
    saving.add_argument("--without-artifacts", action="store_true", help="if the store has a backup of its own")
    restoring = commands.add_parser("restore", help="restore a backup into empty servers")
    for command in (saving, restoring):
        command.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "save":
        work = save(CommonSettings(), arguments.folder, artifacts=not arguments.without_artifacts)
    else:
        work = restore(CommonSettings(), arguments.folder)
    done = result_of(work, BackupError, ArchiveError, ArtifactStoreAway, DatabaseError)
    print(f"{arguments.command}d: {done}")


if __name__ == "__main__":
    main()
