"""Pages of rows and findings begin only where a row or finding does."""

from pathlib import Path

import pytest

from services.ingest.service.findings import Findings
from services.ingest.service.rows import RowFilter
from shared.store import CursorError
from tests.ingest import Ingest
from tests.prepared import chat, jsonl

ROWS = [chat(f"Question number {n * 7919}?", f"Answer {n}.") for n in range(30)]


@pytest.mark.parametrize("after", [31, 2**63, 10**30])
async def test_a_page_of_rows_behind_the_last_row_is_refused(tmp_path: Path, after: int) -> None:
    service = Ingest(tmp_path)
    found = await service.checked("file-1", jsonl(ROWS), filename="rows.jsonl")
    assert service.rows.page(found, 30, 10, RowFilter()).data == []
    with pytest.raises(CursorError, match="at most 30"):
        service.rows.page(found, after, 10, RowFilter())


async def test_a_page_of_findings_begins_behind_a_finding(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    bad = [{"messages": []}, {"messages": []}, {"messages": [{"role": "nobody", "content": "x"}]}]
    found = await service.checked("file-1", jsonl([*ROWS, *bad]), filename="rows.jsonl")
    findings = Findings(service.artifacts)
    assert found.report.findings is not None
    first, size = findings.page(found, 0, 1), found.report.findings.bytes
    assert first.next is not None
    assert findings.page(found, first.next, 10).data
    assert findings.page(found, size, 10).data == []
    for after in (1, first.next + 1, size + 1, 2**63, 10**30):
        with pytest.raises(CursorError, match="must be the 'next' of a page"):
            findings.page(found, after, 10)
