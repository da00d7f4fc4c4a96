"""`python -m shared.security create --name NAME --scope SCOPE`: make an API key and print its secret once."""

import argparse
from pathlib import Path

from shared.security import SCOPES, Keyring


def main() -> None:
    parser = argparse.ArgumentParser(description="Manage API keys.")
    create = parser.add_subparsers(required=True).add_parser("create", help="make a key and print it once")
    create.add_argument("--name", required=True)
    create.add_argument("--scope", action="append", required=True, choices=SCOPES)
    create.add_argument("--keys-file", type=Path, default=Path(".assay/keys.json"))
    arguments = parser.parse_args()
    print(Keyring(arguments.keys_file).create(arguments.name, tuple(arguments.scope)))


if __name__ == "__main__":
    main()
