"""A reviewer with two keys is one reviewer."""

from pathlib import Path

import httpx

from services.review.panels.domain.review import review_id
from shared.security import new_key
from tests.browser.review_data import review_site
from tests.unit.review.evidence import candidate

REVIEW = f"/v1/reviews/{review_id(candidate(10))}"
ALL_FIVE = {"scores": {"accuracy": 5, "politeness": 5, "usefulness": 5}}


def test_two_keys_of_one_person_give_one_set_of_scores(tmp_path: Path) -> None:
    own, secret = new_key("Ana", ("review",))
    own = own.model_copy(update={"person_id": own.id})
    second, second_secret = new_key("Ana's laptop", ("review",))
    with review_site(tmp_path) as site:
        site.keyring.learn([own, second.model_copy(update={"person_id": own.id})])
        phone, laptop = (
            httpx.Client(base_url=site.url, headers={"authorization": f"Bearer {each}"})
            for each in (secret, second_secret)
        )
        # The practice round, then every item, by turns with both keys.
        for turn in range(4):
            client = (phone, laptop)[turn % 2]
            item = client.post(f"{REVIEW}/next").json()["item"]
            assert client.post(f"{REVIEW}/items/{item['id']}/scores", json=ALL_FIVE).status_code == 200
        assert phone.post(f"{REVIEW}/next").json()["item"] is None
        assert laptop.post(f"{REVIEW}/next").json()["item"] is None
        assert laptop.get(f"{REVIEW}/progress").json()["done"] == 3
        assert laptop.get("/v1/reviews/review-none/progress").status_code == 404
        admin = {"authorization": f"Bearer {site.keyring.create('lead', ('admin',))}"}
        panel = httpx.get(f"{site.url}{REVIEW}/panel", headers=admin).json()
        assert panel["done_by_reviewer"] == {own.id: 3}
        phone.close()
        laptop.close()
