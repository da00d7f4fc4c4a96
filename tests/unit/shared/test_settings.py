"""No settings class shows a secret in its `repr`, whatever the field is."""

import importlib
import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.evaluator.config import Settings as EvaluatorSettings
from shared.settings import CommonSettings, UrlWithPassword

ROOT = Path(__file__).parents[3]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("services", "shared", "deploy")
    for path in (ROOT / folder).rglob("*.py")
    if re.search(r"class \w+\((Base|Service)Settings\)", path.read_text())
]
SECRET = re.compile(r"(api_key|password|secret|token)$")
CONNECTION = {"nats_url", "mongo_url"}
# A count of tokens need not be hidden.
HARMLESS = {"max_tokens"}


def settings_classes() -> list[type[BaseSettings]]:
    found = [vars(importlib.import_module(module)).values() for module in MODULES]
    classes = {value for values in found for value in values if isinstance(value, type)}
    return sorted((each for each in classes if issubclass(each, BaseSettings)), key=str)


def allows(annotation: Any, wanted: type) -> bool:
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return wanted in kinds


@pytest.mark.parametrize("settings", settings_classes(), ids=str)
def test_a_field_that_is_named_like_a_secret_is_one(settings: type[BaseSettings]) -> None:
    for name, field in settings.model_fields.items():
        if SECRET.search(name) and name not in HARMLESS:
            assert allows(field.annotation, SecretStr), f"{settings}.{name}"
        if name in CONNECTION:
            assert allows(field.annotation, UrlWithPassword), f"{settings}.{name}"


def test_every_service_has_a_settings_class_that_this_test_sees() -> None:
    assert len(MODULES) >= 7


def test_settings_show_neither_keys_nor_passwords() -> None:
    common = CommonSettings(
        nats_url=UrlWithPassword("nats://ingest:hidden-1@a:4222,nats://ingest:hidden-2@b:4222"),
        mongo_url=UrlWithPassword("mongodb://ingest:hidden-3@a,b/assay_ingest?replicaSet=rs0"),
    )
    settings = EvaluatorSettings(
        common=common, engine_api_key=SecretStr("hidden-4"), judge_api_key=SecretStr("hidden-5"), _env_file=None
    )
    for shown in (repr(settings), str(settings), f"{settings!r}", str(settings.model_dump()), repr(common)):
        assert "hidden" not in shown
        assert "a:4222" in shown
    assert common.nats_url.split(",")[0] == "nats://ingest:hidden-1@a:4222"


def test_a_worker_gets_the_secrets_that_it_needs() -> None:
    settings = EvaluatorSettings(engine_api_key=SecretStr("hidden"), _env_file=None)
    assert EvaluatorSettings.model_validate(settings.model_dump(mode="json")).engine_api_key == SecretStr("hidden")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_NATS_URL", "nats://ingest:hidden@a:4222")
    settings = CommonSettings(_env_file=None)
    assert settings.nats_url == "nats://ingest:hidden@a:4222"
    assert "hidden" not in repr(settings)
