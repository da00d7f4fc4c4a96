"""Refuses a job that cannot succeed, and warns about one that will learn little, before it is created."""

from dataclasses import dataclass

from services.gateway.common.domain.errors import BadRequest
from services.gateway.fine_tuning.domain.configuration import SHIPPED_POLICIES
from services.gateway.fine_tuning.service.configurations import Configurations
from shared.events import DatasetReady, TemplateRef, TrainingSpec
from shared.security import Key


@dataclass(frozen=True)
class JobChecks:
    """What the gateway knows from facts. The trainer checks again, with what is known once the files are checked."""

    configurations: Configurations

    async def resolve(self, spec: TrainingSpec, key: Key) -> TrainingSpec:
        """The spec with the version of its template; raises `BadRequest` for an unknown policy, suite or template."""
        policy = spec.policy
        if policy and policy not in SHIPPED_POLICIES and await self.configurations.find("policy", policy) is None:
            message = f"There is no policy {policy!r}; GET /v1/policies lists them."
            raise BadRequest(message, param="metadata.policy", code="unknown_policy")
        for name in _suites(spec):
            if await self.configurations.find("suite", name) is None:
                message = f"There is no suite {name!r:.100}; GET /v1/suites lists them."
                raise BadRequest(message, param="metadata.suite", code="unknown_suite")
        if spec.template is None:
            return spec
        asked = spec.template
        known = await self.configurations.find("template", asked.name, key.person, asked.version)
        if known is None:
            message = f"You have no template {asked.name!r} of this version; GET /v1/templates lists them."
            raise BadRequest(message, param="metadata.template", code="unknown_template")
        version = asked.version or int(known.number)
        return spec.model_copy(update={"template": TemplateRef(name=asked.name, version=version)})

    async def refuse(self, spec: TrainingSpec, file: DatasetReady | None) -> None:
        """Raise `BadRequest` for rows that the job cannot use; a file that is not checked yet may still fail it."""
        if file is None:
            return
        if file.kind in ("preference", "unpaired"):
            message = (
                f"{file.file_id} has preferences, which cannot be used for training yet; use a file of conversations."
            )
            raise BadRequest(message, param="training_file", code="unsupported_rows")
        if file.suites and not spec.allow_contaminated:
            named = ", ".join(repr(overlap.suite) for overlap in file.suites[:5])
            message = f"Rows of {file.file_id} contain questions of the suites {named}. Remove them, or send the"
            message += " metadata allow_contaminated=true."
            raise BadRequest(message, param="training_file", code="contaminated_training_file")
        context = await self.configurations.context_length(spec.base_model)
        longest = file.longest_row_tokens or 0
        certain = file.kind == "chat" and file.tokenizer == spec.base_model
        if certain and context is not None and longest > context:
            message = f"The longest row of {file.file_id} has {longest} tokens; the engine of {spec.base_model} takes"
            message += f" {context}. Shorten or split such rows."
            raise BadRequest(message, param="training_file", code="rows_too_long")

    async def warnings(self, spec: TrainingSpec, file: DatasetReady, uploaded_at: float) -> list[str]:
        """What the caller should know before the training; `uploaded_at` is the file's, in Unix seconds."""
        found = list(file.advice)
        context = await self.configurations.context_length(spec.base_model)
        longest = file.longest_row_tokens or 0
        if file.kind == "chat" and context is not None and longest > context:
            found.append(f"the longest row has about {longest} tokens, and the engine takes {context}")
        if file.suites:
            named = ", ".join(f"{one.rows} rows of {one.suite!r}" for one in file.suites[:5])
            found.append(f"the training rows contain questions of suites ({named}): their scores mean nothing")
        for name in _suites(spec):
            suite = await self.configurations.find("suite", name)
            if suite is not None and suite.at > uploaded_at:
                text = f"the suite {name!r} was published after {file.file_id} was uploaded: its questions may not have"
                found.append(f"{text} been looked for in the rows. The evaluation does it, or upload the file again")
        return found


def _suites(spec: TrainingSpec) -> list[str]:
    """The names of the suites that a job asks for, without their revisions."""
    asked = filter(None, map(str.strip, spec.metadata.get("suite", "").split(",")))
    return [name.partition("@")[0] for name in asked]
