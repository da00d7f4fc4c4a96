"""What never comes as far as an engine: over real files, and engines that nobody started."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from services.gateway.serving.adapters.vllm import VllmEngine
from services.gateway.serving.adapters.weight_files import WeightFiles
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.ports import EngineGone
from services.gateway.serving.service.adapter_loader import AdapterLoader
from shared.artifacts import ArtifactError, Artifacts
from shared.events import Artifact, Candidate
from shared.weights.header import UnfitWeights
from tests.gateway import BASE, candidate
from tests.ports import free_port
from tests.weights import pair


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path / "store"))


@pytest.fixture
def loader(store: Artifacts, tmp_path: Path) -> AdapterLoader:
    engine, fleet = VllmEngine(None), Fleet({BASE: [f"http://127.0.0.1:{free_port()}"]})
    return AdapterLoader(
        engine=engine,
        artifacts=store,
        fleet=fleet,
        cache=tmp_path / "cache",
        max_on_demand=4,
        folders=WeightFiles(),
        max_rank=16,
        share=1.0,
    )


@pytest.fixture
def adapter(store: Artifacts, tmp_path: Path) -> Artifact:
    folder = tmp_path / "made"
    folder.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 8, "base_model_name_or_path": BASE}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(pair(), folder / "adapter_model.safetensors")
    return store.put_folder(folder)


async def load(loader: AdapterLoader, made: Candidate) -> None:
    async with loader.engine.running(None):  # type: ignore[attr-defined]
        [replica] = loader.fleet.replicas
        assert isinstance(replica, Replica)
        await loader.load(replica, made)


async def test_only_what_fits_is_asked_of_an_engine(loader: AdapterLoader, adapter: Artifact, store: Artifacts) -> None:
    with pytest.raises(EngineGone):
        await load(loader, candidate("good", adapter=adapter))
    whole = candidate("whole", adapter=adapter).model_copy(update={"tuning": "full"})
    with pytest.raises(UnfitWeights, match="whole model"):
        await load(loader, whole)
    for content in (b"[]", b"{}", b"no manifest", b'{"files": {"a": 1}}', b'{"files": 1}'):
        with pytest.raises(UnfitWeights, match="not a folder"):
            await load(loader, candidate("plain", adapter=store.put_bytes(content)))
    outside = store.put_bytes(b'{"files": {"../x": {"sha256": "00"}}}')
    with pytest.raises(ArtifactError, match="outside"):
        await load(loader, candidate("outside", adapter=outside))


async def test_an_artifact_that_was_changed_in_the_store_is_refused_by_its_digest(
    loader: AdapterLoader, adapter: Artifact, tmp_path: Path
) -> None:
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file() and path.stat().st_size > 200 and path.name != adapter.sha256:
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match="damaged"):
        await load(loader, candidate("changed", adapter=adapter))
    shutil.rmtree(tmp_path / "store" / "sha256")
    with pytest.raises(ArtifactError, match="missing"):
        await load(loader, candidate("changed", adapter=adapter))
