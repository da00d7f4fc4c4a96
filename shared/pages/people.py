"""People on pages: by the name of their key, whose id is what facts hold."""

from collections.abc import Callable

from markupsafe import Markup

from shared.pages.reader import AnyRequest
from shared.security import Key, Keyring, Scope


def naming(request: AnyRequest) -> Callable[[str], Markup]:
    """Shows a person of this installation by name, with the id as a hint; an id that no key has stays an id."""
    keyring: Keyring = request.app.state.keyring

    def person(person_id: str) -> Markup:
        key = keyring.get(person_id)
        if key is None:
            return Markup("<code>{}</code>").format(person_id)
        return Markup('<span title="{}">{}</span>').format(person_id, key.name)

    return person


def people_with(request: AnyRequest, scope: Scope) -> list[Key]:
    """The people who have a scope, each by the key that signs them in."""
    keyring: Keyring = request.app.state.keyring
    known = keyring.keys()
    return [key for key in known if key.id == key.person and key.allows(scope)]
