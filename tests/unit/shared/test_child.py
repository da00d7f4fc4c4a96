"""Child processes: messages, how they end, and that they end with their parent."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shared.child import Child, ChildDied, Children
from tests.running import runs

TALKER = """
import sys, time
from shared import child

def main(parent):
    print("a stray print of some library")
    parent.send({"echo": parent.request["say"]})
    if parent.request["say"] == "die":
        sys.exit("something broke")
    if parent.request["say"] == "stay":
        time.sleep(1000)

child.run(main)
"""


@pytest.fixture
def talker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "talker_child.py").write_text(TALKER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    return "talker_child"


async def test_printed_text_does_not_reach_the_message_channel(talker: str) -> None:
    child = await Child.start(talker, {"say": "hello"})
    assert [message async for message in child.messages()] == [{"echo": "hello"}]


async def test_a_child_answers_several_requests_in_order(talker: str, tmp_path: Path) -> None:
    (tmp_path / "patient_child.py").write_text(TALKER.replace("run(main)", "run(main, again=True)"))
    child = await Child.start("patient_child", {"say": "one"})
    await child.ask({"say": "two"})
    assert [await child.reply(), await child.reply()] == [{"echo": "one"}, {"echo": "two"}]
    await child.ask({"say": "die"})
    assert await child.reply() == {"echo": "die"}
    with pytest.raises(ChildDied, match="something broke"):
        await child.reply()


async def test_the_error_of_a_failed_child_holds_the_end_of_its_output(talker: str) -> None:
    child = await Child.start(talker, {"say": "die"})
    with pytest.raises(ChildDied, match="something broke"):
        assert [message async for message in child.messages()] == [{"echo": "die"}]


async def test_the_error_of_a_killed_child_names_the_signal(talker: str) -> None:
    child = await Child.start(talker, {"say": "stay"})
    messages = child.messages()
    await anext(messages)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildDied) as died:
        await anext(messages)
    assert died.value.returncode == -signal.SIGKILL


async def test_a_ready_child_takes_the_next_request_and_a_dead_one_is_replaced(talker: str) -> None:
    children = Children(talker)
    await children.keep_ready()
    ready = children._ready
    assert ready is not None
    await children.keep_ready()
    child = await children.start({"say": "hello"})
    assert child is ready
    assert [message async for message in child.messages()] == [{"echo": "hello"}]
    await children.keep_ready()
    assert children._ready is not None
    os.kill(children._ready.pid, signal.SIGKILL)
    while children._ready.alive:
        await asyncio.sleep(0.01)
    again = await children.start({"say": "hello"})
    assert [message async for message in again.messages()] == [{"echo": "hello"}]
    await children.keep_ready()
    waiting = children._ready
    await children.close()
    assert not waiting.alive


def test_a_child_ends_when_its_parent_is_killed(talker: str, tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(
        textwrap.dedent("""
        import asyncio
        from shared.child import Child

        async def main():
            child = await Child.start("talker_child", {"say": "stay"})
            await anext(child.messages())
            print(child.pid, flush=True)
            await asyncio.sleep(1000)

        asyncio.run(main())
    """)
    )
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


async def test_a_killed_child_leaves_no_processes(talker: str) -> None:
    child = await Child.start(talker, {"say": "stay"})
    await child.kill()
    await asyncio.wait_for(child.kill(), 1)


async def test_a_new_child_is_started_where_the_ready_one_may_have_been_killed(talker: str) -> None:
    children = Children(talker)
    await children.keep_ready()
    ready = children._ready
    assert ready is not None
    # Its end is noticed only when this coroutine waits.
    os.kill(ready.pid, signal.SIGKILL)
    child = await children.start({"say": "hello"}, new=True)
    assert await anext(child.messages()) == {"echo": "hello"}
    await child.kill()
    await children.close()
