"""The page and its files: what is answered, to whom it may talk, and what is never reached."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

import ringback
from ringback.web.dashboard.pages import PAGE_POLICY, load_assets, pages
from ringback.web.problems import answer_problem

ASSETS = Path(ringback.__file__).parent / "web" / "dashboard" / "assets"
OURS = sorted(each for each in ASSETS.rglob("*.js") if "vendor" not in each.parts)


def serving() -> TestClient[Litestar]:
    app = Litestar(
        pages(),
        exception_handlers={Exception: answer_problem},
        logging_config=None,
        openapi_config=None,
    )
    return TestClient(app)


@pytest.fixture
def client() -> Iterator[TestClient[Litestar]]:
    with serving() as client:
        yield client


def test_the_page_comes_with_its_policy(client: TestClient[Litestar]) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY


def test_the_page_has_neither_script_nor_style_within_and_names_no_host() -> None:
    page = load_assets()["index.html"].body.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
    assert "://" not in page


def test_whatever_the_page_and_its_modules_name_is_there() -> None:
    assets = load_assets()
    named = set(re.findall(r'"/assets/([^"]+)"', assets["index.html"].body.decode()))
    for name, asset in assets.items():
        if name.endswith(".js"):
            for path in re.findall(r'from\s*"(\./[^"]+)"', asset.body.decode()):
                folder = name.rpartition("/")[0]
                named.add("/".join([*([folder] if folder else []), path.removeprefix("./")]))
    assert named
    assert named <= assets.keys()


@pytest.mark.parametrize("path", ["main.js", "icon.svg", "style/table.css", "vendor/preact.js"])
def test_a_file_is_fetched_once(client: TestClient[Litestar], path: str) -> None:
    first = client.get(f"/assets/{path}")
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(
        f"/assets/{path}", headers={"if-none-match": f'"other", W/{first.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "../pages.py",
        "..%2fpages.py",
        "%2e%2e/pages.py",
        "style/../../pages.py",
        "",
        "style",
        "x.js",
    ],
)
def test_nothing_else_is_reached(client: TestClient[Litestar], path: str) -> None:
    answer = client.get(f"/assets/{path}")
    assert answer.status_code == 404
    assert "Asset" not in answer.text


def test_the_licences_of_what_is_carried_are_carried() -> None:
    assets = load_assets()
    for package in ("preact", "htm", "uplot"):
        assert assets[f"vendor/{package}.licence.txt"].body


def test_a_build_without_modules_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assets = {name: each for name, each in load_assets().items() if not name.startswith("vendor/")}
    monkeypatch.setattr("ringback.web.dashboard.pages.load_assets", lambda: assets)
    with serving() as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "was not built" in answer.json()["detail"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_module_writes_markup_or_speaks_to_another_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"https?://", text)
