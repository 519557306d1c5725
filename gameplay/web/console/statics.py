"""GET /static: the console's files."""

from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.web.state import pages_of

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


async def static(request: Request) -> Response:
    """GET /static/{name}. The address in a page names the tag: what it answers never changes."""
    asset = pages_of(request).assets.get(request.path_params["name"])
    if asset is None:
        raise NotFound(f"there is no file {request.url.path}")
    # A weak tag: the same bytes may travel compressed.
    tag = f'W/"{asset.tag}"'
    named = request.query_params.get("v") == asset.tag
    headers = {
        "ETag": tag,
        "Cache-Control": FOR_EVER if named else ASK_AGAIN,
        "X-Content-Type-Options": "nosniff",
    }
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
