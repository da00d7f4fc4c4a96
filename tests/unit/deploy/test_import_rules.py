"""`make lint` fails when a service imports another, or a layer reaches outwards."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The project's modules without their content, under its real rules."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for package in ("services", "shared", "deploy"):
        for path in (ROOT / package).rglob("*.py"):
            empty = tmp_path / path.relative_to(ROOT)
            empty.parent.mkdir(parents=True, exist_ok=True)
            empty.touch()
    (tmp_path / "shared/store/__init__.py").write_text("import shared.store.mongo\n")
    # The imports that the rules allow; a rule that is never used is an error.
    (tmp_path / "shared/store/mongo.py").write_text("import motor\n")
    for module in ("__init__", "span"):
        (tmp_path / f"shared/tracing/{module}.py").write_text("import opentelemetry\n")
    return tmp_path


def file_of(tree: Path, module: str) -> Path:
    package = tree / module / "__init__.py"
    return package if package.exists() else tree / f"{module}.py"


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_the_layout_itself_breaks_no_rule(tree: Path):
    result = lint_imports(tree)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("services/ingest/service", "import services.trainer.domain"),
        ("shared/__init__", "import services.ingest.domain"),
        ("services/ingest/service", "import deploy"),
        ("services/ingest/domain", "import services.ingest.ports"),
        ("services/review/ownership", "import services.review.handlers"),
        ("services/review/domain", "import torch"),
        ("services/review/domain", "import nats"),
        ("services/review/domain", "import litestar"),
        ("services/review/domain", "from motor.motor_asyncio import AsyncIOMotorClient"),
        ("services/review/domain", "import shared.store"),
        ("services/ingest/adapters", "import motor"),
        ("services/gateway/serving/api", "import services.gateway.serving.adapters"),
        ("services/gateway/serving/service", "import services.gateway.inference.domain"),
        ("services/gateway/fine_tuning/domain", "import services.gateway.fine_tuning.service"),
    ],
)
def test_an_import_against_the_rules_is_refused(tree: Path, module: str, statement: str):
    file_of(tree, module).write_text(f"{statement}\n")
    result = lint_imports(tree)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout
