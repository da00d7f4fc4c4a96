"""What the home page shows: the newest jobs with their scores, the names that are served, and what is wrong."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.gateway.common.domain.ownership import within_reach
from services.gateway.console.domain.best_score import BestScore, best_score
from services.gateway.console.domain.job_line import JobLine, State, job_line
from services.gateway.console.domain.waiting_jobs import waiting_jobs
from services.gateway.events.service.stream_fill import StreamFill
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.directory import Directory
from shared.security import Key
from shared.store import Collection, Cursor

COUNTED = 100
"""The counts are over so many newest jobs and files, so that the page costs the same with ten thousand."""
SHOWN_JOBS = 10


@dataclass(frozen=True)
class JobRow:
    """One job in the list of newest jobs."""

    job: Job
    line: JobLine
    best: BestScore | None


@dataclass(frozen=True)
class EngineAway:
    """An engine that does not answer."""

    base_model: str
    url: str
    reason: str


@dataclass(frozen=True)
class Overview:
    """Everything that the page needs."""

    jobs: Sequence[JobRow]
    more_jobs: bool
    states: Counter[State]
    """How many of the newest jobs are in each state."""
    files: Sequence[UploadedFile]
    """The newest files that people uploaded."""
    more_files: bool
    names: Sequence[str]
    """Stable names that are served."""
    engines: int
    away: Sequence[EngineAway]
    nearly_full: Mapping[str, float]
    """Streams that soon refuse new events, with their used share; for administrators alone."""
    waiting: Sequence[JobRow] = ()
    """Jobs of the reader that go on only when the reader does something."""
    dead_letters: int = 0
    """Events that could not be handled; for administrators alone."""

    @property
    def running(self) -> JobRow | None:
        """The newest job that trains now."""
        return next((row for row in self.jobs if row.line.state == "training"), None)

    @property
    def is_first_start(self) -> bool:
        """Whether the reader has made nothing yet."""
        return not self.jobs and not self.files

    @property
    def file_names(self) -> dict[str, str]:
        """The names of the newest files by their ids."""
        return {file.id: file.upload.filename for file in self.files if file.upload}

    @property
    def refused_files(self) -> list[UploadedFile]:
        return [file for file in self.files if file.rejected]


@dataclass(frozen=True)
class Overviews:
    """Reads the home page in five queries, whatever the number of jobs."""

    jobs: Collection[Job]
    files: Collection[UploadedFile]
    checkpoints: Collection[Checkpoint]
    metrics: RankingMetrics
    directory: Directory
    fleet: Fleet
    stream_fill: StreamFill | None = None

    async def of(self, key: Key) -> Overview:
        reach = within_reach(key)
        jobs = await self.jobs.page(Cursor(None, COUNTED), known=True, **reach)
        files = await self.files.page(Cursor(None, COUNTED), known=True, **reach)
        shown = jobs.items[:SHOWN_JOBS]
        scored: dict[str, list[Checkpoint]] = {job.id: [] for job in shown}
        for checkpoint in await self.checkpoints.find(job_id__in=list(scored)) if scored else []:
            scored[checkpoint.job_id].append(checkpoint)
        metrics = await self.metrics.of(shown)
        fill = self.stream_fill if key.allows("admin") else None
        return Overview(
            jobs=[JobRow(job, job_line(job), best_score(scored[job.id], metrics[job.id])) for job in shown],
            more_jobs=jobs.has_more,
            states=Counter(job_line(job).state for job in jobs.items),
            files=[file for file in files.items if not file.is_result],
            more_files=files.has_more,
            names=self._names(key),
            engines=len(self.fleet.replicas),
            away=[EngineAway(r.base, r.url, r.reason) for r in self.fleet.replicas if not r.up],
            nearly_full=fill.nearly_full if fill else {},
            waiting=[JobRow(job, job_line(job), None) for job in waiting_jobs(jobs.items, key, time.time())],
            dead_letters=fill.dead_letters if fill else 0,
        )

    def _names(self, key: Key) -> list[str]:
        catalog = self.directory.catalog
        targets = {name: catalog.find(name) for name in catalog.names()}
        made = {name: target.candidate for name, target in targets.items() if target and target.candidate}
        return sorted(
            name for name, candidate in made.items() if candidate.suffix == name and key.owns(candidate.owner)
        )
