"""What the documents of the services name, and whether a database is the one that handled the events."""

from collections.abc import Collection, Mapping
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from shared.garbage_collection.marks import Marks
from shared.garbage_collection.progress_lines import Say

_BATCH = 500
_INBOX = "inbox"
# What each process writes, whatever its database holds otherwise.
_OWN_WORK = ("sweeps", "leases", "tallies", "event_tallies")
OF_FILES = {"gateway": ("files",), "trainer": ("datasets",), "ingest": ("outcomes",)}
"""The collections whose documents stay when the file of their id is deleted. Its splits stay if a run names them."""


class Databases:
    """The databases of the services on one server, each by the name of its service. Nothing is written."""

    def __init__(self, url: str, names: Mapping[str, str]) -> None:
        # Digests are found in the bytes, without decoding the documents.
        options: dict[str, Any] = {"serverSelectionTimeoutMS": 5000, "retryWrites": False}
        self._client: MongoClient[RawBSONDocument] = MongoClient(url, document_class=RawBSONDocument, **options)
        self.names = names

    def deleted_files(self) -> set[str]:
        """The ids of the files whose deletion was published."""
        found = self._client[self.names["gateway"]]["files"].find({"deleted": True}, {"_id": 1, "unsent": 1})
        return {each["_id"] for each in found if not each.get("unsent")}

    def mark(self, marks: Marks, deleted: Collection[str], say: Say) -> dict[str, int]:
        """Mark what the documents name, but for those of deleted files; how many documents each service has."""
        return {service: self._mark_all_of(service, marks, deleted, say) for service in self.names}

    def _mark_all_of(self, service: str, marks: Marks, deleted: Collection[str], say: Say) -> int:
        database, documents = self._client[self.names[service]], 0
        for name in sorted(database.list_collection_names()):
            if name == _INBOX:
                continue
            of_files = name in OF_FILES.get(service, ())
            for document in database[name].find(batch_size=_BATCH):
                documents += name not in _OWN_WORK
                if of_files and document["_id"] in deleted:
                    continue
                marks.add_named_in(bytes(document.raw))
                if documents % _BATCH == 0:
                    say(f"{database.name}: {documents:,} documents read")
        return documents

    def has_handled(self, service: str, consumer: str, event_id: str) -> bool:
        """Whether the inbox of a service knows an event."""
        return self._client[self.names[service]][_INBOX].find_one({"_id": f"{consumer}/{event_id}"}) is not None

    def close(self) -> None:
        self._client.close()
