"""Whatever is killed in a swap, callers get whole answers of the old version or of the new one.

It takes minutes: `KILLS=20 pytest -s tests/integration/test_gateway_kills.py`, and with real vLLM, which takes half a
minute to come back, `VLLM_KILLS=20`. `SEED=…` repeats a run.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bench.swap_engine import LONGEST_START_S, served
from bench.swap_load import Answer
from bench.swap_versions import QUESTION, WORDS, made_once, publish
from deploy.local import processor, vllm
from services.gateway.common.domain.model_names import loaded_name
from shared.artifacts import Artifacts
from shared.events import Candidate
from tests.gateway import BASE
from tests.integration.test_gateway_swaps import ALIAS, ASK, POOL, adapter
from tests.kills import Replica, in_swaps
from tests.ports import free_port
from tests.process import Process
from tests.weights import MODULE

KILLS, VLLM_KILLS = int(os.environ.get("KILLS", "0")), int(os.environ.get("VLLM_KILLS", "0"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 2**31)))


@pytest.fixture
def chance() -> random.Random:
    print(f"SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def versioned(tmp_path: Path) -> Iterator[Process]:
    root, port = tmp_path / BASE, free_port()
    root.mkdir()
    save_file({f"{MODULE}.weight": np.zeros((8, 6), np.float32)}, root / "model.safetensors")
    made = Process([sys.executable, "-m", "tests.versioned_engine", str(port), str(root)], port)
    made.start()
    made.wait()
    yield made
    made.kill()


def names_its_weights(said: str, version: Candidate) -> bool:
    words = set(said.split())
    return len(words) == 1 and loaded_name(version) in words.pop()


@pytest.mark.skipif(not KILLS, reason="takes minutes; KILLS=20 runs it")
@pytest.mark.timeout(120 + 30 * KILLS)
@pytest.mark.parametrize("pool", [BASE, POOL])
async def test_whatever_is_killed_in_a_swap_callers_get_whole_answers_of_the_old_or_the_new_version(
    bus_settings, versioned, pool, chance
) -> None:
    replica = Replica(
        versioned,
        pool,
        ASK,
        make=lambda number: adapter(bus_settings, number),
        is_of=names_its_weights,
        swap_s=0.5,
        gateway={"GATEWAY_RECONCILE_S": "0.2"},
    )
    await in_swaps(bus_settings, replica, KILLS, chance)


@pytest.mark.model
@pytest.mark.skipif(not VLLM_KILLS, reason="takes minutes; VLLM_KILLS=20 runs it")
@pytest.mark.timeout(300 + 120 * VLLM_KILLS)
@pytest.mark.parametrize("whole", [False, True], ids=["adapters", "weights"])
async def test_with_real_vllm_it_is_no_other(bus_settings, whole, chance) -> None:
    base, made = made_once()
    port, store, words = free_port(), Artifacts(bus_settings.artifacts), dict[str, str]()
    started = served(base, port, amx=not processor.faults_on_amx(), adapters=not whole)
    # vLLM is several processes: they die together, as in a container.
    command = (sys.executable, "-m", "deploy.local.whole_group", *started.command)
    engine = Process(command, port, started.environment, LONGEST_START_S)

    def make(number: int) -> Candidate:
        # Of the whole weights every other version comes as a whole model, the rest as adapters that are merged first.
        version = publish(store, base.name, made, number, ALIAS, whole=whole and number % 2 == 1)
        words[version.version] = WORDS[number % len(WORDS)]
        return version

    replica = Replica(
        engine,
        f"{base.name}@{ALIAS}" if whole else base.name,
        {"model": ALIAS, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16, "temperature": 0},
        make=make,
        is_of=lambda said, version: Answer(0, version.version, said, []).is_of(words[version.version]),
        swap_s=4.0 if whole else 1.0,
        gateway={"GATEWAY_PREPARE_SHARE": str(vllm.OTHERS_SHARE)},
    )
    engine.start()
    try:
        engine.wait()
        await in_swaps(bus_settings, replica, VLLM_KILLS, chance)
    finally:
        engine.kill()
