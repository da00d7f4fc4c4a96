"""The dashboard and the alert rules load, and use only metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "observability"
# Metrics of Prometheus, its client for Python and Litestar's plugin.
OTHERS = {"up", "process_resident_memory_bytes", "litestar_requests_total"}
DEFINED = re.compile(r'"(assay_(?:chat|routed|shadow|stream|training)\w*)"')
USED = re.compile(r"\b(?:assay|litestar|process)_\w+|\bup\b(?=\{)")
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")


def _defined() -> set[str]:
    sources = [path for part in ("services", "shared") for path in (ROOT / part).rglob("*.py")]
    return {name for path in sources for name in DEFINED.findall(path.read_text())}


def _expressions() -> Iterator[str]:
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_each_metric_of_dashboard_and_alerts_exists():
    used = {name for expression in _expressions() for name in USED.findall(expression)}
    known = _defined()
    assert used
    assert {name for name in used - OTHERS if SUFFIXES.sub("", name) not in known} == set()


def test_each_alert_says_what_to_do():
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    assert all(rule["annotations"]["action"] for group in groups for rule in group["rules"])


def test_each_alert_has_a_case_in_which_it_fires():
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    cases = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
    expected = [each for case in cases for each in case["alert_rule_test"] if each["exp_alerts"]]
    assert {each["alertname"] for each in expected} == {rule["alert"] for group in groups for rule in group["rules"]}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
@pytest.mark.parametrize("command", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")])
def test_prometheus_accepts_the_rules_and_they_fire_when_they_should(command: tuple[str, ...]):
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
