"""Documents of the services' databases, in the layout of `mongodump`: `<database>/<collection>.bson`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from shared.backup.contents import BackupError

_BATCH = 500


class Databases:
    """The databases of these names on one server; indexes are left to the services, which make them at start."""

    def __init__(self, url: str, names: Sequence[str]) -> None:
        # Documents are copied as they are, without being decoded.
        options: dict[str, Any] = {"serverSelectionTimeoutMS": 5000, "retryWrites": False}
        self._client: MongoClient[RawBSONDocument] = MongoClient(url, document_class=RawBSONDocument, **options)
        self._names = names

    def check_empty(self) -> None:
        """Raise `BackupError` if one of the databases holds documents."""
        full = [
            f"{database.name}.{name}"
            for database in map(self._client.get_database, self._names)
            for name in database.list_collection_names()
            if database[name].find_one() is not None
        ]
        if full:
            raise BackupError(f"collections hold documents already: {', '.join(full)}. Restore into an empty server.")

    def save(self, folder: Path) -> dict[str, dict[str, int]]:
        """The number of documents saved, by database and collection."""
        return {name: self._save_one(name, folder / name) for name in self._names}

    def _save_one(self, name: str, folder: Path) -> dict[str, int]:
        folder.mkdir(parents=True)
        saved: dict[str, int] = {}
        for collection in sorted(self._client[name].list_collection_names()):
            with (folder / f"{collection}.bson").open("wb") as file:
                saved[collection] = 0
                for document in self._client[name][collection].find(batch_size=_BATCH):
                    file.write(document.raw)
                    saved[collection] += 1
        return saved

    def restore(self, folder: Path, expected: dict[str, dict[str, int]]) -> None:
        """Insert all documents. Raises `BackupError` if there are not as many as when they were saved."""
        for name, collections in expected.items():
            for collection, count in collections.items():
                path = folder / name / f"{collection}.bson"
                if (found := self._restore_one(path, name, collection)) != count:
                    raise BackupError(f"{path} holds {found} documents, but {count} were saved: the file is damaged")

    def _restore_one(self, path: Path, name: str, collection: str) -> int:
        count, batch = 0, list[RawBSONDocument]()
        options = bson.CodecOptions(document_class=RawBSONDocument)
        with path.open("rb") as file:
            for document in bson.decode_file_iter(file, options):
                batch.append(document)
                if len(batch) == _BATCH:
                    count += self._insert(name, collection, batch)
                    batch = []
        return count + self._insert(name, collection, batch)

    def _insert(self, name: str, collection: str, documents: list[RawBSONDocument]) -> int:
        if documents:
            self._client[name][collection].insert_many(documents)
        return len(documents)

    def close(self) -> None:
        self._client.close()


DatabaseError = PyMongoError
