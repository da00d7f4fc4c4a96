"""Private words and large files do not come back: names of classes, functions and modules, and sizes."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("services", "shared") for path in sorted((ROOT / part).rglob("*.py"))]
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if path.is_dir() and path.name != "__pycache__")
MAX_LINES = 250
MAX_DOMAIN_FILES = 12

# Each word, and what the field says in its place.
CLASSES = {
    "Front": "protocol",
    "ChatDoor": "fast path",
    "Exchange": "request/response cycle",
    "Hearing": "message handler",
    "Beginnings": "start checkpoint",
    "Courier": "webhook dispatcher",
    "Caller": "webhook client",
    "HttpCaller": "webhook client",
    "Following": "event subscription",
    "Chronicle": "job event log",
    "History": "job projection",
    "Line": "queue, lineage",
    "Hold": "lease",
    "Pace": "Throttle",
    "Inquiry": "EvaluationRunner",
    "Suitebook": "SuiteCatalog",
    "Rulebook": "PolicyCatalog",
    "Claims": "alias ownership",
    "Posting": "event publisher",
    "Judged": "one name by role",
}
FUNCTIONS = {
    "hear": "receive, on_message",
    "heard": "on_body, on_message",
    "tell": "append",
    "carry": "deliver",
    "note": "enqueue",
    "line": "to_jsonl",
    "held": "paused, leased",
    "to_hold": "pause_requested",
    "lend": "load on demand",
    "lent": "loaded on demand",
    "awaited": "preloaded",
    "expect": "preload",
    "promising": "candidates to preload",
    "remember": "refresh",
    "settle": "upsert, flush, admit",
    "rival": "baseline",
    "apart": "max_abs_diff",
    "whole_folder": "atomic_directory",
    "this_boot": "boot_id",
    "forked": "what the test helper does",
    "in_hand": "what the test helper does",
    "sharing": "what the test helper does",
    "letters": "dead_letters",
    "turned_back": "rolled_back, pinned",
}
MODULES = {
    "front": "protocol",
    "exchange": "request_cycle",
    "beginnings": "start_checkpoint",
    "courier": "webhook_dispatcher",
    "callers": "webhook_client",
    "following": "event_subscription",
    "chronicle": "job_events",
    "history": "job_projection",
    "hold": "queue, lease",
    "pace": "throttle",
    "inquiry": "evaluation_runner",
    "suitebook": "suite_catalog",
    "rulebook": "policy_catalog",
    "claims": "alias_ownership",
    "posting": "event_publisher",
    "whole_folder": "atomic_directory",
    "training_state": "checkpoint_files",
    "stream": "nats_events",
    "meter": "chat_metrics",
    "figures": "routing_metrics",
    "comparing": "side_by_side",
    "comparison": "shadow, paired_test",
    "comparisons": "side_by_side, paired_test",
    "letters": "dead_letters",
    "job": "worker, for the child process",
    "utils": "the noun it defines",
    "helpers": "the noun it defines",
    "manager": "the noun it defines",
}
# Words that are private in one service only; elsewhere they have their plain meaning.
ONLY_IN = {
    "Caller": "services/gateway",
    "line": "services/gateway/fine_tuning",
    "note": "services/gateway",
    "apart": "services/evaluator",
    "figures": "services/gateway",
    "meter": "services/gateway",
    "stream": "services/gateway",
}
# One meaning each: at most one class of the name in a service.
ONE_MEANING = ("Alias", "Comparison", "Cursor", "Files", "JobMessage", "Plan", "Run", "Table")


def _definitions(path: Path) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield "class", node.name, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield "function", node.name.lstrip("_"), node.lineno


def _is_private(name: str, path: Path) -> bool:
    return _shown(path).startswith(ONLY_IN.get(name, ""))


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_private_words_of_classes_and_functions_do_not_come_back():
    words = {"class": CLASSES, "function": FUNCTIONS}
    found = [
        f"{_shown(path)}:{line}: {kind} {name} -> {words[kind][name]}"
        for path in SOURCES
        for kind, name, line in _definitions(path)
        if name in words[kind] and _is_private(name, path)
    ]
    assert not found, "\n" + "\n".join(found)


def test_the_private_words_of_modules_do_not_come_back():
    # The fine-tuning job of the domain is a job; the word is private for a child process only.
    found = [
        f"{_shown(path)} -> {MODULES[path.stem]}"
        for path in SOURCES
        if path.stem in MODULES
        and _is_private(path.stem, path)
        and not (path.stem == "job" and path.parent.name == "domain")
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_one_class_name_has_one_meaning_in_a_service(service: Path):
    # Protocols of one name in several parts stand for the same thing: they count once.
    found = [(name, path) for path in service.rglob("*.py") for kind, name, _ in _definitions(path) if kind == "class"]
    roles = {(name, "" if f"class {name}(Protocol)" in path.read_text() else str(path)) for name, path in found}
    names = Counter(name for name, _role in roles)
    assert [name for name in ONE_MEANING if names[name] > 1] == []


def test_no_python_file_is_longer_than_250_lines():
    lengths = {_shown(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_domain_folder_has_more_than_twelve_files():
    folders = [path for path in (ROOT / "services").rglob("domain") if path.is_dir()]
    assert folders
    counts = {_shown(folder): len([f for f in folder.glob("*.py") if f.name != "__init__.py"]) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MAX_DOMAIN_FILES} == {}
