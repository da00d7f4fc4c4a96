"""Names of models."""

import re

from services.trainer.domain.model_names import checkpoint_name, job_id_for_file, model_name


def test_model_names_have_the_form_of_openai() -> None:
    name = model_name("base", "org", "my-suffix", "ftjob-1")
    assert re.fullmatch(r"ft:base:org:my-suffix:[0-9a-f]{12}", name)
    assert checkpoint_name(name, 12) == f"{name}:ckpt-step-12"
    assert re.fullmatch(r"ft:base:org::[0-9a-f]{12}", model_name("base", "org", None, "ftjob-1"))
    assert job_id_for_file("file-1") == job_id_for_file("file-1") != job_id_for_file("file-2")


def test_a_hundred_thousand_jobs_of_one_suffix_have_names_of_their_own() -> None:
    assert len({model_name("base", "org", "mine", f"ftjob-{number}") for number in range(100_000)}) == 100_000
