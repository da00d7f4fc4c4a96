"""The process that checks or renders one file: `python -m services.ingest.worker`, started by ingest.

A file that takes too much memory ends this process and no other.
"""

import hashlib
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from services.ingest.checks.row_checker import CheckOptions
from services.ingest.ports import PreparationRequest, PreparationResult, RenderRequest, RenderResult
from services.ingest.preparation import Prepared, Request, prepare
from services.ingest.reading.limits import Limits
from services.ingest.reading.sources import ReadOptions
from services.ingest.report import Report
from services.ingest.row_index import RowIndex
from services.ingest.split_files import NotRendered, RowFiles, write_splits
from services.ingest.splits.assignment import NAMES, Shares
from services.ingest.statistics.lengths import TokenCounter
from services.ingest.suites.overlaps import KnownSuite
from services.ingest.suites.questions import read
from shared.artifact_outage import is_away_or_full
from shared.artifacts import Artifacts
from shared.child import Parent, run
from shared.events import Failure, RowError, Split, Splits


def main(parent: Parent) -> None:
    """Answer one request."""
    limit = int(parent.request["memory_gib"] * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    parent.send(answer(parent.request))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The result for a request to check or to render; `{"unavailable": reason}` where store or disk is to blame."""
    artifacts, scratch = Artifacts(request["artifacts"], create=False), Path(request["scratch"])
    try:
        if "render" in request:
            result = render(RenderRequest.model_validate(request["render"]), artifacts, scratch)
        else:
            result = check(PreparationRequest.model_validate(request["request"]), artifacts, scratch, request)
    except MemoryError:
        result = _too_large(request["memory_gib"])
    except Exception as error:
        if not is_away_or_full(error):
            raise
        return {"unavailable": str(error)}
    return result.model_dump(mode="json")


def render(asked: RenderRequest, artifacts: Artifacts, scratch: Path) -> RenderResult:
    """Put a template around the stored rows of a dataset, in the splits that they have."""
    fields = scratch / "fields.jsonl" if asked.fields is not None else None
    files = RowFiles(scratch / "rows.jsonl", fields)
    artifacts.fetch_file(asked.rows, files.rows)
    artifacts.fetch_file(asked.index, scratch / "index.npz")
    if asked.fields is not None and fields is not None:
        artifacts.fetch_file(asked.fields, fields)
    index = RowIndex.load(scratch / "index.npz")
    try:
        paths = write_splits(files, index.parts, asked.template, scratch)
    except NotRendered as error:
        message = f"line {int(index.places[error.row])} {error.reason}"
        return RenderResult(error=Failure(code="row_not_rendered", message=message))
    counts = np.bincount(index.parts, minlength=len(NAMES)).tolist()
    return RenderResult(splits=_splits(paths, dict(zip(NAMES, counts, strict=False)), artifacts))


def check(
    asked: PreparationRequest, artifacts: Artifacts, scratch: Path, settings: dict[str, Any]
) -> PreparationResult:
    """Check a file and store what comes of it."""
    upload = asked.upload
    path = scratch / "upload"
    artifacts.fetch_file(upload.artifact, path)
    request = _request(asked, artifacts, path, scratch, settings)
    return _stored(prepare(request, scratch), artifacts, scratch)


def _request(
    asked: PreparationRequest, artifacts: Artifacts, path: Path, scratch: Path, settings: dict[str, Any]
) -> Request:
    upload, options = asked.upload, asked.upload.options
    earlier = None
    if asked.earlier is not None:
        artifacts.fetch_file(asked.earlier, scratch / "earlier.npz")
        earlier = RowIndex.load(scratch / "earlier.npz").earlier()
    fields = frozenset(asked.template.fields) if asked.template is not None else frozenset[str]()
    base_model = upload.train.base_model if upload.train is not None else next(iter(settings["base_models"]), "")
    return Request(
        path=path,
        filename=upload.filename,
        read=ReadOptions(options.format, options.encoding, options.delimiter, options.sheet),
        check=CheckOptions(options.shape, options.mapping, options.group, fields),
        drop_bad_rows=upload.drop_bad_rows,
        seed=upload.split_seed,
        shares=Shares(options.validation_share, options.test_share),
        template=asked.template,
        earlier=earlier,
        suites=[
            KnownSuite(suite.name, suite.revision, read(artifacts.read(suite.questions))) for suite in asked.suites
        ],
        limits=Limits(**settings["limits"]),
        engine_context=asked.contexts.get(base_model),
        counter=TokenCounter.of(base_model, settings["base_models"].get(base_model, "")),
    )


def _stored(prepared: Prepared, artifacts: Artifacts, scratch: Path) -> PreparationResult:
    report = prepared.report
    report.findings = artifacts.put_file(prepared.findings)
    if prepared.refused or prepared.index is None or prepared.rows is None:
        return PreparationResult(report=report)
    prepared.index.save(scratch / "index.npz")
    report.index = artifacts.put_file(scratch / "index.npz")
    report.rows = artifacts.put_file(prepared.rows)
    report.fields = artifacts.put_file(prepared.fields) if prepared.fields is not None else None
    splits = _splits(prepared.splits, report.counts.model_dump(), artifacts)
    return PreparationResult(report=report, splits=splits, version=version_of(prepared.index))


def _splits(files: Mapping[str, Path], counts: Mapping[str, int], artifacts: Artifacts) -> Splits:
    return Splits(**{name: Split(artifact=artifacts.put_file(file), rows=counts[name]) for name, file in files.items()})


def version_of(index: RowIndex) -> str:
    """Made of the set of rows: their order and repetitions do not matter."""
    rows = np.unique(index.rows, axis=0)
    return f"dv-{hashlib.sha256(rows.tobytes()).hexdigest()[:24]}"


def _too_large(memory_gib: float) -> PreparationResult:
    reason = f"checking the file takes more than {memory_gib:g} GiB of memory"
    fix = "split the file, or save it as CSV, JSON Lines or Parquet with smaller rows"
    return PreparationResult(
        report=Report(errors=[RowError(line=0, field="", reason=reason, code="too_large", fix=fix)])
    )


if __name__ == "__main__":
    run(main)
