"""Checks a million rows beside Hugging Face datasets: `make bench-ingest`.

(a) schema, exact duplicates and split; (b) near duplicates, lengths and languages too, against `datasets` with
`datasketch`, whose folder `DATASKETCH` names. Each side runs in a process of its own, by turns, over the same file.
Rows a second are of the processor's time of the whole run, which other programs on the machine change least; memory is
the peak of the process. `ROWS`, `NEAR_ROWS` and `ROUNDS` set the sizes.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROWS = int(os.environ.get("ROWS", "1000000"))
NEAR_ROWS = int(os.environ.get("NEAR_ROWS", "50000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
_WORDS = 5_000


def write_rows(path: Path, rows: int) -> None:
    """Chats of 20 to 60 words; one row in fifty repeats an earlier one, one in fifty differs from it by a word."""
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(_WORDS)]
    recent: list[list[str]] = []
    with path.open("w") as file:
        for _ in range(rows):
            question = rng.choices(words, k=rng.randint(10, 30))
            kind = rng.random()
            if recent and kind < 0.04:
                question = list(rng.choice(recent))
                if kind < 0.02:
                    question.append("please")
            recent = [*recent[-99:], question]
            answer = rng.choices(words, k=rng.randint(10, 30))
            if kind < 0.02:
                answer = question[:5]
            messages = [
                {"role": "user", "content": " ".join(question) + "?"},
                {"role": "assistant", "content": " ".join(answer) + "."},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")


def run(side: str, path: Path) -> dict[str, Any]:
    """One side in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-m", "bench.ingest_sides", side, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
    )
    return json.loads(made.stdout.splitlines()[-1])


def compare(title: str, sides: tuple[str, str], path: Path, rows: int) -> None:
    """Both sides by turns, and the ratio of their medians."""
    figures: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for side in sides:
            figures[side].append(run(side, path))
    speeds = {side: rows / statistics.median(one["cpu_s"] for one in found) for side, found in figures.items()}
    walls = {side: statistics.median(one["wall_s"] for one in found) for side, found in figures.items()}
    print(f"{title}, {rows} rows, median of {ROUNDS}")
    for side, found in figures.items():
        peak = max(one["peak_mb"] for one in found)
        shown = f"{speeds[side]:>10.0f} rows/s  {walls[side]:>7.1f} s  {peak:>6.0f} MB  {found[-1]['result']}"
        print(f"  {side:22} {shown}", flush=True)
    print(f"  ratio {speeds[sides[0]] / speeds[sides[1]]:.1f}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, ROWS)
        compare("(a) schema, exact duplicates, split", ("assay", "datasets"), path, ROWS)
        write_rows(path, NEAR_ROWS)
        compare("(b) all checks", ("assay_all", "datasets_datasketch"), path, NEAR_ROWS)


if __name__ == "__main__":
    main()
