"""The preferences that the reader's votes made: as rows of a data set, and deleted."""

import json
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from services.gateway.console.service.preferences import Preferences
from shared.pages.forms import see_other
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
FILE_NAME = "preferences.jsonl"


@get("/playground/preferences", guards=[allow("infer")])
async def preference_rows(request: AnyRequest, preferences: NamedDependency[Preferences]) -> Response[bytes]:
    """A row for each vote for one of two answers, as JSON Lines, the newest first."""
    rows = [preference.row() for preference in await preferences.newest(request.state.key)]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    headers = {"content-disposition": f'attachment; filename="{FILE_NAME}"', "cache-control": "no-store"}
    return Response(content, media_type="application/jsonl", headers=headers)


@post("/playground/preferences/delete", guards=[allow("infer")])
async def delete_preferences(request: AnyRequest, preferences: NamedDependency[Preferences]) -> Response[bytes]:
    """Delete all of the reader's preferences."""
    await preferences.delete_all(request.state.key)
    return see_other("/console/serve/playground", mode="blind")
