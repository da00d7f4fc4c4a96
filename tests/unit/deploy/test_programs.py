"""The programs of the local stack, parsed by supervisord's own parser."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from supervisor.options import ServerOptions

from deploy.local.nats_passwords import made_once
from deploy.local.programs import programs
from deploy.local.settings import BASE_MODEL, LocalSettings
from deploy.local.supervision import SupervisionError, configuration
from shared.nats_users import USERS

PASSWORDS = {user: f"secret-of-{user}" for user in USERS}


def parsed(settings: LocalSettings, folder: Path) -> dict[str, ServerOptions]:
    folder.mkdir(parents=True, exist_ok=True)
    settings.logs.mkdir(parents=True, exist_ok=True)
    config = folder / "supervisord.conf"
    config.write_text(configuration(settings, programs(settings, PASSWORDS), {"EXTRA": "1"}))
    options = ServerOptions()
    options.realize(["-c", str(config)])
    return {group.name: group.process_configs[0] for group in options.process_group_configs}


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(state_dir=tmp_path / "with space & more", _env_file=None)


def test_supervisord_parses_every_program_unchanged(settings: LocalSettings, tmp_path: Path):
    found = parsed(settings, tmp_path)
    for program in programs(settings, PASSWORDS):
        assert found[program.name].environment.items() >= {**program.environment, "EXTRA": "1"}.items()
        assert found[program.name].killasgroup


def test_json_settings_survive_the_configuration(settings: LocalSettings, tmp_path: Path):
    engines = parsed(settings, tmp_path)["gateway"].environment["GATEWAY_ENGINES"]
    assert json.loads(engines) == {BASE_MODEL: [settings.vllm_url]}


def test_no_two_programs_share_a_port_and_each_port_is_a_setting(settings: LocalSettings):
    ports = [item for program in programs(settings, PASSWORDS) for item in program.ports.items()]
    assert len({port for _, port in ports}) == len(ports)
    fields = {f"ASSAY_{name.upper()}" for name in LocalSettings.model_fields}
    assert {name for name, _ in ports} <= fields


def test_only_the_gateway_uses_the_configured_host(tmp_path: Path):
    settings = LocalSettings(state_dir=tmp_path, gateway_host="0.0.0.0", _env_file=None)
    hosts = {p.name: p.environment.get("ASSAY_HTTP_HOST") for p in programs(settings, PASSWORDS)}
    assert hosts["gateway"] == "0.0.0.0"
    assert {host for name, host in hosts.items() if name != "gateway"} <= {"127.0.0.1", None}


def test_the_shared_engine_starts_with_short_steps(settings: LocalSettings):
    (engine,) = (program for program in programs(settings, PASSWORDS) if program.name == "vllm")
    options = (option.partition("=") for option in engine.command)
    limits = {name: int(value) for name, _, value in options if value.isdigit()}
    # As many as may be answered at once get a token in each step; what is left reads prompts.
    assert limits["--max-num-seqs"] < limits["--max-num-batched-tokens"] <= 2 * limits["--max-num-seqs"]


@pytest.mark.parametrize("name", ["it's", "100%", "one ;two"])
def test_a_path_that_supervisord_cannot_read_is_refused(tmp_path: Path, name: str):
    settings = LocalSettings(state_dir=tmp_path / name, _env_file=None)
    with pytest.raises(SupervisionError, match="without quotes"):
        configuration(settings, programs(settings, PASSWORDS), {})


def test_the_path_of_the_socket_is_short_for_a_deep_state_folder(tmp_path: Path):
    settings = LocalSettings(state_dir=tmp_path / ("deep/" * 40), _env_file=None)
    assert len(str(settings.supervisor_socket)) < 100


def test_each_service_connects_to_nats_as_its_own_user(settings: LocalSettings):
    urls = {
        p.name: urlsplit(p.environment["ASSAY_NATS_URL"])
        for p in programs(settings, PASSWORDS)
        if "ASSAY_NATS_URL" in p.environment
    }
    assert {name: url.username for name, url in urls.items()} == {
        **{name: name for name in ("topology", "ingest", "trainer", "review", "gateway")},
        **{"evaluator-1": "evaluator", "evaluator-2": "evaluator"},
    }
    assert {url.password for url in urls.values()} == {PASSWORDS[url.username or ""] for url in urls.values()}


def test_passwords_are_made_once_and_only_their_owner_can_read_them(settings: LocalSettings):
    settings.state.mkdir(parents=True)
    made = made_once(settings)
    assert made_once(settings) == made
    assert set(made) == set(USERS)
    assert len(set(made.values())) == len(USERS)
    assert settings.nats_passwords_file.stat().st_mode & 0o777 == 0o600
