"""Suites as YAML files in folders of the server, with their tables beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.harness_task import task_of
from services.evaluator.suites.domain.suite import Suite, SuiteContent
from services.evaluator.suites.domain.task import LONGEST_NAME, Table, YamlTag, refuse_code

SHIPPED = Path(__file__).parent.parent / "shipped"
MAX_TABLE_BYTES = 64 * 1024**2


class _Loader(yaml.SafeLoader):
    """Loads plain data. A tag such as `!function` becomes a `YamlTag`, so that only its own task is refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few lines of nested aliases can expand to billions of values.
            raise yaml.YAMLError("aliases are not allowed in a suite")
        return super().compose_node(parent, index)


def _tag(_loader: _Loader, name: str, node: yaml.Node) -> YamlTag:
    return YamlTag(f"!{name} {node.value if isinstance(node, yaml.ScalarNode) else ''}".strip())


_Loader.add_multi_constructor("!", _tag)
_Loader.add_multi_constructor("tag:", _tag)


class SuiteFolders:
    """The suites in files `<name>.yaml`, read at each call; earlier folders take precedence."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def names(self) -> list[str]:
        return sorted({path.stem for folder in self._folders for path in folder.glob("*.yaml")})

    def get(self, name: str) -> Suite | None:
        """One suite; raises `CannotBeScored` if its file is not a suite."""
        path = self._path(name)
        if path is None:
            return None
        try:
            # The loader is a subclass of SafeLoader.
            content = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506
            if isinstance(content.get("tasks"), list):
                content["tasks"] = [each for raw in content["tasks"] for each in self._members(name, raw)]
            source = "shipped" if path.parent == SHIPPED else "folder"
            return Suite(name=name, source=source, **SuiteContent.model_validate(content).__dict__)
        except (yaml.YAMLError, ValidationError, TypeError, AttributeError, RecursionError) as error:
            raise CannotBeScored("bad_suite", f"{path.name}: {error!s:.1000}") from None

    def harness(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The task of a suite's entry `{name, harness: <file>, ...}`; raises `CannotBeScored`."""
        read = self._harness_file(name, str(raw["harness"]))
        own = {field: value for field, value in raw.items() if field != "harness"}
        return {**task_of(str(raw.get("name")), read), **own}

    def _members(self, name: str, raw: Any) -> list[Any]:
        """The tasks of a harness group; any other entry is returned unchanged.

        Errors in a file are reported when its task is read, so that they do not affect other tasks.
        """
        if not isinstance(raw, dict) or "harness" not in raw:
            return [raw]
        file = str(raw["harness"])
        try:
            read = self._harness_file(name, file)
        except CannotBeScored:
            return [raw]
        if not isinstance(read.get("task"), list):
            return [raw]
        own = {field: value for field, value in raw.items() if field != "name"}
        prefix = f"{read.get('group')}_"
        members = [
            {
                **own,
                "name": str(task).removeprefix(prefix)[:LONGEST_NAME],
                "harness": str(Path(file).parent / f"{task}.yaml"),
            }
            for task in read["task"]
        ]
        return [each for member in members for each in self._members(name, member)]

    def _harness_file(self, name: str, file: str) -> dict[str, Any]:
        content = self._beside(name, file)
        try:
            read = yaml.load(content, Loader=_Loader)  # noqa: S506
        except (yaml.YAMLError, RecursionError) as error:
            raise CannotBeScored("bad_task", f"{file}: {error!s:.1000}") from None
        refuse_code(read)
        if not isinstance(read, dict):
            raise CannotBeScored("bad_task", f"{file} is not a harness task")
        return read

    def table(self, name: str, table: Table) -> bytes:
        """The content of a table beside the suite's file; raises `CannotBeScored`."""
        return self._beside(name, table.file or "")

    def _beside(self, name: str, file: str) -> bytes:
        path = self._path(name)
        if path is None:
            raise CannotBeScored("no_file", "only a suite in a folder of the server can name files")
        found = (path.parent / file).resolve()
        if not found.is_relative_to(path.parent.resolve()) or not found.is_file():
            raise CannotBeScored("no_file", f"there is no file {file!r} beside {path.name}")
        if found.stat().st_size > MAX_TABLE_BYTES:
            raise CannotBeScored("bad_table", f"{file} is larger than {MAX_TABLE_BYTES} bytes")
        return found.read_bytes()

    def _path(self, name: str) -> Path | None:
        places = [folder / f"{name}.yaml" for folder in self._folders]
        return next((path for path in places if path.name == f"{name}.yaml" and path.is_file()), None)
