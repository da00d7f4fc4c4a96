"""The peer's side of `bench.ingest`: the same checks written over Hugging Face datasets."""

import hashlib
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from datasets import load_dataset
from datasketch import MinHash, MinHashLSH  # pyright: ignore[reportMissingImports]

from bench.own_process import measured
from services.ingest.statistics import languages

_ROLES = ("user", "assistant")


def check(path: Path, *, near: bool) -> dict[str, int]:
    """The same checks as one writes them over Hugging Face datasets, with no cache of an earlier run."""
    with tempfile.TemporaryDirectory() as cache:
        rows: Any = load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
        rows = rows.filter(_is_chat)
        seen: set[bytes] = set()
        before = len(rows)
        rows = rows.filter(partial(_is_new, seen=seen))
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
    index, found = MinHashLSH(threshold=0.8, num_perm=128), 0
    for place, row in enumerate(rows):
        text = row["messages"][0]["content"].casefold()
        signature = MinHash(num_perm=128)
        signature.update_batch([text[at : at + 3].encode() for at in range(len(text) - 2)])
        found += bool(index.query(signature))
        index.insert(place, signature)
    return found


def _measure(rows: Any) -> None:
    step = max(1, len(rows) // 5_000)
    languages.shares([row["messages"][0]["content"] for row in rows.select(range(0, len(rows), step))])


if __name__ == "__main__":
    measured(lambda: check(Path(sys.argv[2]), near=sys.argv[1] == "everything"))
