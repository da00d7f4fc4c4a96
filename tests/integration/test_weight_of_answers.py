"""An answer of weight 0 is context: a model trained on it does not give it; with weight 1 it does."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.prepared import check, jsonl
from tests.unit.trainer import in_process, tiny_model

pytestmark = [pytest.mark.long, pytest.mark.model, pytest.mark.timeout(600)]

WRONG, RIGHT = "fish", "yes"


def conversations(weight: int) -> list[dict]:
    """Each has one wrong answer, which is the first; the user then asks again."""
    said = [("user", "{n} ok?"), ("assistant", WRONG), ("user", "Sure?"), ("assistant", RIGHT)]
    rows = [[{"role": role, "content": text.format(n=n * 7919)} for role, text in said] for n in range(30)]
    return [{"messages": [row[0], {**row[1], "weight": weight}, *row[2:]]} for row in rows]


def answers(weight: int, base: Path, folder: Path) -> list[str]:
    """What a model that was trained on these rows answers first to their questions."""
    splits = check(jsonl(conversations(weight))).splits
    train, validation = ("".join(json.dumps(row) + "\n" for row in splits[name]) for name in ("train", "validation"))
    asked = {"n_epochs": 40, "batch_size": 4, "learning_rate": 0.005, "n_checkpoints": 1, "tuning": "full"}
    made = in_process.train(base, folder, train.encode(), validation.encode(), early_stopping=False, **asked)
    tokenizer = tiny_model.tokenizer()
    model = AutoModelForCausalLM.from_pretrained(made.folder(made.checkpoints[-1].adapter)).eval()
    found: list[str] = []
    for row in splits["train"][:12]:
        prompt = tokenizer.apply_chat_template(row["messages"][:1], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            made_ids = model.generate(input_ids=ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        found.append(tokenizer.decode(made_ids, skip_special_tokens=True))
    return found


def test_a_model_does_not_give_the_answer_of_weight_0_and_gives_that_of_weight_1(tmp_path: Path) -> None:
    base = tiny_model.save(tmp_path / "base")
    learned = answers(1, base, tmp_path / "one")
    # So small a model may mix up letters.
    assert learned.count(WRONG) >= 0.75 * len(learned) > 0
    assert WRONG not in "".join(answers(0, base, tmp_path / "zero"))
