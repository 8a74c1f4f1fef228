"""Hold every page to axe-core: WCAG 2.2 A and AA, and its best practices.

axe-core comes from npm in a fixed version, and is kept below ``.cache``, which git ignores.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.site.conftest import NO_PAGES, page_of, pages_of

VERSION = "4.14.1"
CACHE = Path(__file__).parents[2] / ".cache" / f"axe-core-{VERSION}"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERY_RULE = {"type": "tag", "values": TAGS}
RULES = {"light": EVERY_RULE, "dark": {"type": "rule", "values": ["color-contrast"]}}
RUN = """async (rules) => {
    const found = await axe.run(document, {runOnly: rules, resultTypes: ["violations"]});
    return found.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", "));
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    script = CACHE / "package" / "axe.min.js"
    if not script.is_file():
        fetch()
    return script.read_text(encoding="utf-8")


def fetch() -> None:
    """Unpack axe-core into the cache, or skip and say why."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: axe-core cannot be fetched")
    CACHE.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", str(CACHE)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if packed.returncode:
        pytest.skip(f"axe-core cannot be fetched from npm: {packed.stderr.strip()[-200:]}")
    with tarfile.open(CACHE / packed.stdout.split()[-1]) as archive:
        archive.extractall(CACHE, filter="data")


@pytest.mark.parametrize("width", [1200, 375])
@pytest.mark.parametrize("scheme", RULES)  # dark differs from light in nothing but colours
def test_axe_finds_nothing_on_any_page(browser, demo, demo_address, axe, width, scheme):
    found = {}
    pages = pages_of(demo)
    with page_of(browser, width, scheme) as page:
        for path in [*pages, *NO_PAGES]:
            assert page.goto(demo_address + path).status == (200 if path in pages else 404), path
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            page.evaluate(axe)
            violations = page.evaluate(RUN, RULES[scheme])
            if violations:
                found[path] = violations
    assert found == {}


def test_axe_sees_a_fault_where_there_is_one(browser, axe):
    with page_of(browser, 375) as page:
        page.set_content("<html><body><main><h1>x</h1><input></main></body></html>")
        page.evaluate(axe)
        found = {violation.partition(":")[0] for violation in page.evaluate(RUN, EVERY_RULE)}
    assert {"html-has-lang", "label", "document-title"} <= found
