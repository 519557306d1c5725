from starlette.testclient import TestClient

from gameplay.web.console.assets import read_assets


def test_a_file_under_the_address_with_its_tag_stays_for_ever(shared: TestClient) -> None:
    asset = read_assets()["console.css"]

    tagged = shared.get("/static/console.css", params={"v": asset.tag})
    plain = shared.get("/static/console.css")

    assert tagged.content == plain.content == asset.content
    assert tagged.headers["content-type"].startswith("text/css")
    assert "immutable" in tagged.headers["cache-control"]
    assert "no-cache" in plain.headers["cache-control"]


def test_a_file_that_the_client_has_is_not_sent_again(shared: TestClient) -> None:
    tag = shared.get("/static/console.js").headers["etag"]

    again = shared.get("/static/console.js", headers={"If-None-Match": f'"other", {tag}'})
    other = shared.get("/static/console.js", headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert not again.headers.keys() & {"content-encoding", "content-length"}, "not even an empty body, compressed"
    assert other.status_code == 200


def test_a_file_that_does_not_exist_is_404(shared: TestClient) -> None:
    for name in ("other.css", "..%2fpages.py", "%2e%2e/pages.py"):
        assert shared.get(f"/static/{name}").status_code == 404
