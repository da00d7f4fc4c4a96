"""The sides of `bench.ingest`: one a process, which prints its times, peak memory and what it found."""

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROLES = ("user", "assistant")


def assay(path: Path, *, everything: bool) -> dict[str, int]:
    """Ingest's own preparation."""
    from services.ingest.preparation import Request, prepare

    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request(path, path.name, near=everything, measured=everything), Path(folder))
        counts = prepared.report.counts
        return {"train": counts.train, "duplicates": counts.duplicates, "near": prepared.report.twins.near}


def datasets(path: Path, *, near: bool) -> dict[str, int]:
    """The same checks as one writes them over Hugging Face datasets, with no cache of an earlier run."""
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        rows: Any = load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
        rows = rows.filter(_is_chat)
        seen: set[bytes] = set()
        before = len(rows)
        rows = rows.filter(lambda row: _is_new(row, seen))
        found = _near(rows) if near else 0
        if near:
            _measure(rows)
        held_out = rows.train_test_split(test_size=0.2, seed=7)
        parts = held_out["test"].train_test_split(test_size=0.5, seed=7)
        for name, part in (("train", held_out["train"]), ("validation", parts["train"]), ("test", parts["test"])):
            part.to_json(os.path.join(cache, f"{name}.jsonl"))
        return {"train": len(held_out["train"]), "duplicates": before - len(rows), "near": found}


def _is_chat(row: dict[str, Any]) -> bool:
    messages = row["messages"]
    if not messages or len(messages) % 2:
        return False
    return all(
        message["role"] == _ROLES[place % 2] and isinstance(message["content"], str) and message["content"].strip()
        for place, message in enumerate(messages)
    )


def _is_new(row: dict[str, Any], seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(json.dumps(row["messages"]).encode(), digest_size=16).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True


def _near(rows: Any) -> int:
    """MinHash and LSH by datasketch with its own defaults, over the shingles that Assay uses."""
    sys.path.insert(0, os.environ["DATASKETCH"])
    from datasketch import MinHash, MinHashLSH  # pyright: ignore[reportMissingImports]

    index, found = MinHashLSH(threshold=0.8, num_perm=128), 0
    for place, row in enumerate(rows):
        text = row["messages"][0]["content"].casefold()
        signature = MinHash(num_perm=128)
        signature.update_batch([text[at : at + 3].encode() for at in range(len(text) - 2)])
        found += bool(index.query(signature))
        index.insert(place, signature)
    return found


def _measure(rows: Any) -> None:
    from services.ingest.statistics import languages

    step = max(1, len(rows) // 5_000)
    languages.shares([row["messages"][0]["content"] for row in rows.select(range(0, len(rows), step))])


def main() -> None:
    side, path = sys.argv[1], Path(sys.argv[2])
    started, used = time.perf_counter(), time.process_time()
    result = {
        "assay": lambda: assay(path, everything=False),
        "assay_all": lambda: assay(path, everything=True),
        "datasets": lambda: datasets(path, near=False),
        "datasets_datasketch": lambda: datasets(path, near=True),
    }[side]()
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb, "result": result}))


if __name__ == "__main__":
    main()
