"""The conformance rules say what the gateway's code does."""

import ast
import inspect

import pytest

from docs.conformance import page, sdk_surface
from docs.conformance.sdk_surface import Surface
from services.gateway.fine_tuning.api import objects
from services.gateway.fine_tuning.domain.job_request import JobRequest
from services.gateway.fine_tuning.domain.upload_request import UploadRequest
from services.gateway.fine_tuning.domain.uploads.upload_body import Completion, UploadBody
from services.gateway.inference.domain.chat_request import PASSED_ON, TAKEN_AND_DROPPED


@pytest.fixture(scope="module")
def surface() -> Surface:
    return sdk_surface.surface()


def _parameters(surface: Surface, call: str) -> dict[str, str]:
    """The status of each parameter of a call."""
    rules = page.load()["parameters"]
    found = next(each for each in surface.calls if each.name == call)
    return {p: page.rule_for(rules, f"{call}({p})").status for p in found.parameters}


def test_chat_parameters_are_passed_on_ignored_or_refused_as_stated(surface: Surface):
    for name, status in _parameters(surface, "chat.completions.create").items():
        if status == "refused":
            assert name not in PASSED_ON | TAKEN_AND_DROPPED, name
        elif status == "ignored":
            assert name in TAKEN_AND_DROPPED, name
        else:
            assert name in PASSED_ON | TAKEN_AND_DROPPED | {"model"}, name


def test_the_parameters_of_a_job_are_those_that_its_request_has(surface: Surface):
    stated = {name for name in _parameters(surface, "fine_tuning.jobs.create") if "." not in name}
    assert stated == set(JobRequest.model_fields)


def test_the_parameters_of_files_and_uploads_are_taken_or_refused_as_stated(surface: Surface):
    for call, request in (
        ("files.create", {*UploadRequest.model_fields, "file"}),
        ("uploads.create", set(UploadBody.model_fields)),
        ("uploads.complete", {*Completion.model_fields, "upload_id"}),
    ):
        for name, status in _parameters(surface, call).items():
            top = name.partition(".")[0]
            assert (status == "refused") == (top not in request), f"{call}({name})"


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("FileObject", objects.file),
        ("Upload", objects.upload),
        ("UploadPart", objects.upload_part),
        ("FineTuningJob", objects.job),
        ("FineTuningJobEvent", objects.message),
        ("FineTuningJobCheckpoint", objects.checkpoint),
    ],
)
def test_each_field_of_an_object_is_in_the_gateways_answer(surface: Surface, name: str, view: object):
    keys = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(view)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {field for field in surface.objects[name] if "." not in field} - keys == set()
