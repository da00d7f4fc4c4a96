"""Write the address-extraction data set: customer messages in, JSON out, the same rows for the same seed."""

import argparse
import json
import random
import string
from collections.abc import Callable
from pathlib import Path

import vocabulary as words

SYSTEM = "Extract the delivery address as JSON."
KEYS = ("street", "city", "postcode", "name")
Address = dict[str, str | None]


def _postcode(rng: random.Random) -> str:
    letters = string.ascii_uppercase
    if rng.random() < 0.6:
        area = "".join(rng.choices(letters, k=rng.choice((1, 2))))
        return f"{area}{rng.randint(1, 29)} {rng.randint(1, 9)}{rng.choice(letters)}{rng.choice(letters)}"
    return str(rng.randint(10000, 99999))


def _phone(rng: random.Random) -> str:
    """A telephone number: it looks like a part of an address and is none."""
    return f"07{rng.randint(10**8, 10**9 - 1)}"


def _street(rng: random.Random) -> str:
    number = str(rng.randint(1, 240)) + (rng.choice("abc") if rng.random() < 0.1 else "")
    street = f"{number} {rng.choice(words.STREET_NAMES)} {rng.choice(words.STREET_KINDS)}"
    return f"Flat {rng.randint(1, 30)}, {street}" if rng.random() < 0.12 else street


def _address(rng: random.Random) -> Address:
    """A whole address, of which up to three parts are then left out as customers do."""
    address: Address = {
        "name": f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}",
        "street": _street(rng),
        "city": rng.choice(words.CITIES),
        "postcode": _postcode(rng),
    }
    for key, chance in (("name", 0.25), ("street", 0.04), ("city", 0.08), ("postcode", 0.25)):
        if rng.random() < chance:
            address[key] = None
    return address


def _place(address: Address, rng: random.Random) -> str:
    """Street, city and postcode in one of the orders that people write them in."""
    street, city, postcode = address["street"], address["city"], address["postcode"]
    town = [city, postcode] if rng.random() < 0.7 else [postcode, city]
    town_text = rng.choice((" ", ", ")).join(part for part in town if part)
    return ", ".join(part for part in (street, town_text) if part)


def _prose(address: Address, rng: random.Random) -> str:
    who, place = address["name"], _place(address, rng)
    verb = rng.choice(
        (
            "Please send it to",
            "Ship it to",
            "My new address is",
            "Deliver to",
            "The address is",
            "I live at",
            "It should go to",
        )
    )
    text = f"{verb} {place}." if place else ""
    if who:
        if place and rng.random() < 0.4:
            text = f"{verb} {who}, {place}."
        else:
            sentence = rng.choice(("My name is {}.", "I'm {}.", "The name is {}.", "This is {}.")).format(who)
            text = f"{sentence} {text}" if rng.random() < 0.7 else f"{text} {sentence}"
    return text.strip()


def _form(address: Address, rng: random.Random) -> str:
    labels = rng.choice(
        (
            ("Street", "City", "Postcode", "Name"),
            ("address", "town", "zip", "name"),
            ("Street", "Town", "Post code", "Full name"),
        )
    )
    rows = [f"{label}: {address[key]}" for label, key in zip(labels, KEYS, strict=True) if address[key]]
    if rng.random() < 0.5:
        rng.shuffle(rows)
    return rng.choice(("\n", "\n", "; ")).join(rows)


def _block(address: Address, rng: random.Random) -> str:
    town = " ".join(part for part in (address["city"], address["postcode"]) if part)
    return "\n".join(part for part in (address["name"], address["street"], town) if part)


def _terse(address: Address, rng: random.Random) -> str:
    parts = [address["name"], _place(address, rng)]
    if rng.random() < 0.3:
        parts.reverse()
    return rng.choice((", ", " - ", " / ")).join(part for part in parts if part)


def _moved(address: Address, rng: random.Random) -> str:
    """Two streets in one message: only the new one counts."""
    if not address["street"]:
        return _prose(address, rng)
    old = _street(rng)
    new = _place(address, rng)
    text = rng.choice(
        ("I moved from {old} to {new}.", "Not {old} any more, now {new}.", "Old address {old}, new address {new}.")
    ).format(old=old, new=new)
    return f"{text} {address['name']}" if address["name"] else text


FORMS: tuple[tuple[Callable[[Address, random.Random], str], float], ...] = (
    (_prose, 0.44),
    (_terse, 0.2),
    (_form, 0.15),
    (_block, 0.14),
    (_moved, 0.07),
)


def _fill(text: str, rng: random.Random) -> str:
    return text.format(
        product=rng.choice(words.PRODUCTS),
        order=f"#{rng.randint(1000, 99999)}",
        day=rng.choice(words.DAYS),
        agent=rng.choice(words.AGENTS),
        hour=rng.randint(1, 8),
    )


def _mistype(text: str, rng: random.Random) -> str:
    """One slip of the fingers in one word: a letter lost, doubled or swapped with the next."""
    spots = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    if not spots:
        return text
    i = rng.choice(spots)
    return rng.choice(
        (text[:i] + text[i + 1 :], text[:i] + text[i] + text[i:], text[:i] + text[i + 1] + text[i] + text[i + 2 :])
    )


def _small_talk(options: list[str], rng: random.Random) -> str:
    text = _fill(rng.choice(options), rng)
    return _mistype(text, rng) if rng.random() < 0.25 else text


def _row(rng: random.Random) -> tuple[str, Address]:
    opening = _small_talk(words.GREETINGS, rng)
    if rng.random() < 0.05:
        return opening + _small_talk(words.WITHOUT_ADDRESS, rng), dict.fromkeys(KEYS)
    address = _address(rng)
    form = rng.choices([form for form, _ in FORMS], [weight for _, weight in FORMS])[0]
    if rng.random() < 0.12:
        # Typed on a phone, without capitals: the answer keeps the customer's own spelling.
        address = {key: value and value.lower() for key, value in address.items()}
    body = form(address, rng)
    if not body:
        return _row(rng)
    lead = opening + _small_talk(words.REASONS, rng)
    gap = "\n" if form in (_form, _block) and lead else ""
    message = lead.rstrip() + gap + body if gap else lead + body
    if rng.random() < 0.1:
        message += f" Phone {_phone(rng)}."
    return (message + _small_talk(words.CLOSINGS, rng)).strip(), address


def answer(address: Address) -> str:
    """The expected answer: compact JSON, always all keys, null for what the customer did not say."""
    return json.dumps({key: address[key] for key in KEYS}, ensure_ascii=False, separators=(",", ":"))


def rows(count: int, seed: int) -> list[dict[str, list[dict[str, str]]]]:
    """`count` conversations, no two with the same message."""
    rng = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        message, address = _row(rng)
        made.setdefault(message, answer(address))
    return [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": message},
                {"role": "assistant", "content": reply},
            ]
        }
        for message, reply in made.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("train.jsonl"))
    arguments = parser.parse_args()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(arguments.rows, arguments.seed)]
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
