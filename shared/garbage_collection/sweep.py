"""Counts, and removes, the files and cache entries that no mark protects."""

from dataclasses import dataclass

from shared.garbage_collection.cached_files import CachedFiles, CacheEntry
from shared.garbage_collection.marks import Marks
from shared.garbage_collection.progress_lines import Say
from shared.garbage_collection.refusal import CollectionRefused
from shared.garbage_collection.report import Report, Tally
from shared.garbage_collection.stored_files import StoredFile, StoredFiles

_MARKED_AT_ONCE = 500


def spread(marks: Marks, files: StoredFiles, say: Say) -> None:
    """Mark what marked artifacts name: the files of a folder, the answers of a report, the tables of a suite."""
    read = 0
    while new := marks.take_new():
        for start in range(0, len(new), _MARKED_AT_ONCE):
            for content in files.documents(new[start : start + _MARKED_AT_ONCE]):
                marks.add_named_in(content)
            read += len(new[start : start + _MARKED_AT_ONCE])
            say(f"{read:,} named artifacts read")


@dataclass(frozen=True)
class Sweep:
    """Removes nothing that was written or refreshed after `before`, in Unix seconds."""

    marks: Marks
    files: StoredFiles
    cache: CachedFiles
    before: float
    say: Say

    def count(self, report: Report) -> None:
        """Raises `CollectionRefused` if the store seems to be that of another installation."""
        for number, file in enumerate(self.files.all(), 1):
            self._tally(report, file).add(file.bytes)
            self.say(f"{number:,} files of the artifact store listed")
        for entry in self.cache.all(self.marks):
            self._tally_of_entry(report, entry).add(entry.bytes)
        artifacts = report.of("artifacts")
        if artifacts.garbage.files and not artifacts.needed.files:
            raise CollectionRefused(
                f"nothing names any of the {artifacts.garbage.files:,} artifacts in {self.files.root}: check that "
                "ASSAY_ARTIFACTS, ASSAY_MONGO_URL and ASSAY_DATABASE_PREFIX belong to the same installation"
            )

    def remove(self, report: Report) -> None:
        """Lists everything again, so that the garbage need not be kept in memory."""
        for file in self.files.all():
            garbage = not self._is_needed(file) and self.files.is_older(file, self.before)
            if garbage and self.files.remove(file, self.before):
                report.of(file.kind).removed.add(file.bytes)
                self.say(f"{report.removed} removed")
        for entry in self.cache.all(self.marks):
            if not entry.needed and self.cache.remove(entry, self.before):
                report.of(entry.kind).removed.add(entry.bytes)

    def _is_needed(self, file: StoredFile) -> bool:
        return bool(file.digest) and file.digest in self.marks

    def _tally(self, report: Report, file: StoredFile) -> Tally:
        found = report.of(file.kind)
        if self._is_needed(file):
            return found.needed
        return found.garbage if self.files.is_older(file, self.before) else found.new

    def _tally_of_entry(self, report: Report, entry: CacheEntry) -> Tally:
        found = report.of(entry.kind)
        if entry.needed:
            return found.needed
        return found.garbage if self.cache.is_older(entry, self.before) else found.new
