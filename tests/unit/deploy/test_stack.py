"""Starting the local stack."""

import fcntl
import threading
from pathlib import Path

import pytest

from deploy.local import stack
from deploy.local.settings import LocalSettings


def test_a_second_command_waits_until_the_first_has_started_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LocalSettings(state_dir=tmp_path, _env_file=None)
    said, waits, starts = list[str](), threading.Event(), threading.Event()

    def say(text: str) -> None:
        said.append(text)
        waits.set()

    def start() -> None:
        with pytest.raises(stack.StackError, match="ports"):
            stack.up(settings, say)

    def refuse(_programs: object) -> None:
        starts.set()
        raise stack.StackError("ports")

    monkeypatch.setattr(stack, "refuse_taken_ports", refuse)
    second = threading.Thread(target=start)
    with (settings.state / "stack.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second.start()
        assert waits.wait(10)
        assert not starts.is_set()
    second.join(10)
    assert starts.is_set()
    assert said == ["another command starts or stops this stack; waiting for it"]
