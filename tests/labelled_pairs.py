"""Two thousand pairs of prompts, English and Chinese, with a label that says whether they are near duplicates.

The rule was fixed before anything was measured. A pair is a near duplicate when one prompt is the other with
changes that leave the question the same word for word but for typing: case, spacing, punctuation, width of
characters, one typing error, a polite word added. It is not when a number or an entity is another, when the question
is put in other words, or when it is another question of the same kind.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple


class Pair(NamedTuple):
    """Two prompts; `made_by` names the change."""

    one: str
    other: str
    near: bool
    language: str
    made_by: str


_EN = (
    ("How do I return the {thing} that I bought in {place} last week without the receipt?", "thing place"),
    ("Can you tell me whether the {thing} is still in stock at your shop in {place}?", "thing place"),
    ("What does the delivery of a {thing} to {place} cost when I order it before noon?", "thing place"),
    ("My {thing} arrived broken today, where in {place} can I have it repaired?", "thing place"),
    ("Which documents do I need to open an account for a company in {place} that sells a {thing}?", "thing place"),
    ("Write a short and friendly reply to a customer in {place} who complains about the {thing}.", "thing place"),
)
_ZH = (
    ("我上周在{place}买的{thing}没有收据,现在还可以退货吗?需要准备哪些材料?", "thing place"),
    ("请告诉我你们在{place}的门店里{thing}现在还有没有库存,能不能帮我预留一件?", "thing place"),
    ("中午之前下单的话,把{thing}送到{place}需要多少运费,大概几天可以收到?", "thing place"),
    ("我今天收到的{thing}是坏的,在{place}哪里可以维修,保修期内要不要付费?", "thing place"),
    ("在{place}开一家卖{thing}的公司需要哪些文件,办理账户大约要等多长时间?", "thing place"),
    ("给{place}一位投诉{thing}质量的顾客写一封简短而友好的回信,并提出补偿方案。", "thing place"),
)
_WORDS = {
    "en": {
        "thing": ["coffee machine", "bicycle", "winter jacket", "keyboard", "tent", "violin", "printer", "sofa"],
        "place": ["Berlin", "Madrid", "Oslo", "Toronto", "Nairobi", "Lisbon", "Prague", "Denver"],
    },
    "zh": {
        "thing": ["咖啡机", "自行车", "羽绒服", "键盘", "帐篷", "小提琴", "打印机", "沙发"],
        "place": ["北京", "上海", "广州", "成都", "西安", "杭州", "青岛", "昆明"],
    },
}
_PARAPHRASES = {
    "en": [
        ("I lost the receipt for my {thing} from {place}. Is it possible to give it back anyway?"),
        ("Do you have any {thing} left in the {place} branch right now?"),
        ("If an order for a {thing} is placed in the morning, how much is shipping to {place}?"),
        ("There is a fault in the {thing} delivered this morning. Who fixes such things in {place}?"),
        ("To register a {thing} business with your bank in {place}, what paperwork is required?"),
        ("Someone from {place} is unhappy with a {thing}. Draft a brief, kind answer."),
    ],
    "zh": [
        "{place}购入的{thing}小票丢了,请问退款流程是怎样的",
        "想问一下{place}店的{thing}是否缺货,可否留货",
        "上午订购{thing},寄往{place}的快递费和时效如何",
        "刚到手的{thing}有故障,{place}附近有无售后网点,是否免费",
        "打算在{place}经营{thing}生意,银行开户手续和周期请说明",
        "请起草邮件安抚{place}客户,他对{thing}不满意,语气亲切些",
    ],
}


def pairs(seed: int = 11, each: int = 1000) -> Iterator[Pair]:
    """`each` pairs a language, half of them near duplicates."""
    rng = random.Random(seed)
    for language, templates in (("en", _EN), ("zh", _ZH)):
        for number in range(each):
            kind = rng.randrange(len(templates))
            words = {name: rng.choice(found) for name, found in _WORDS[language].items()}
            one = templates[kind][0].format(**words) + _tail(rng, language)
            if number % 2:
                made_by, other = _edited(rng, one, language)
            else:
                made_by, other = _another(rng, one, kind, words, language, templates)
            yield Pair(one, other, bool(number % 2), language, made_by)


def _tail(rng: random.Random, language: str) -> str:
    order = rng.randrange(10_000, 99_999)
    return f" My order number is {order}." if language == "en" else f"我的订单号是{order}。"


def _edited(rng: random.Random, text: str, language: str) -> tuple[str, str]:
    made_by = rng.choice(["case", "spacing", "punctuation", "typing error", "polite word"])
    if made_by == "case":
        return made_by, text.upper() if language == "en" else text.replace(",", ",").replace("?", "?")
    if made_by == "spacing":
        places = sorted(rng.sample(range(len(text)), 3), reverse=True)
        for at in places:
            if text[at] == " ":
                text = text[:at] + "  " + text[at:]
        return made_by, f" {text} \n"
    if made_by == "punctuation":
        for mark in ".,?。,?":
            text = text.replace(mark, rng.choice(["", mark, "!"]))
        return made_by, text
    if made_by == "typing error":
        return made_by, _mistyped(rng, text, language)
    if language == "en":
        return made_by, rng.choice(["Hello, {}", "Please: {}", "{} Thank you!"]).format(text)
    return made_by, rng.choice(["您好,{}", "请问,{}", "{}谢谢!"]).format(text)


def _mistyped(rng: random.Random, text: str, language: str) -> str:
    if language == "zh":
        # A character typed twice.
        at = rng.randrange(2, 10)
        return text[: at + 1] + text[at:]
    long = [word for word in text.split() if len(word) > 4 and word.isalpha()]
    word = rng.choice(long)
    at = rng.randrange(1, len(word) - 2)
    wrong = rng.choice([word[:at] + word[at + 1 :], word[:at] + word[at + 1] + word[at] + word[at + 2 :]])
    return text.replace(word, wrong, 1)


def _another(
    rng: random.Random,
    one: str,
    kind: int,
    words: dict[str, str],
    language: str,
    templates: tuple[tuple[str, str], ...],
) -> tuple[str, str]:
    made_by = rng.choice(["number", "entity", "two entities", "paraphrase", "other question"])
    if made_by == "number":
        digits = [at for at, char in enumerate(one) if char.isdigit()]
        at = rng.choice(digits)
        return made_by, one[:at] + str((int(one[at]) + 1) % 10) + one[at + 1 :]
    if made_by in ("entity", "two entities"):
        names = list(words) if made_by == "two entities" else [rng.choice(list(words))]
        for name in names:
            choices = [word for word in _WORDS[language][name] if word != words[name]]
            one = one.replace(words[name], rng.choice(choices))
        return made_by, one
    if made_by == "paraphrase":
        return made_by, _PARAPHRASES[language][kind].format(**words) + one[-20:]
    others = [place for place in range(len(templates)) if place != kind]
    return made_by, templates[rng.choice(others)][0].format(**words)
