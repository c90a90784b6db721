import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analognas.deployment import read_bundles
from analognas.errors import UserError
from analognas.reporting import write_figures, write_report
from analognas.reporting.expected import PREDICTED
from analognas.reporting.wording import summary_sentences

SECTIONS = ("networks", "front", "drift", "gap", "chip", "meaning", "run")
VOID = {"meta", "br", "img", "link", "hr", "input", "path", "use"}


class Page(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "xlink:href", "srcset", "action", "data"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html(run_folder: Path) -> str:
    return write_report(run_folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_has_every_section_and_closes_every_tag(page: Page) -> None:
    assert [section for section in page.ids if section in SECTIONS] == list(SECTIONS)
    assert page.open == []
    assert page.tags.count("svg") == 3 + 6  # front, drift, gap, and a chip for every network


def test_the_page_needs_nothing_from_elsewhere(page: Page, html: str) -> None:
    assert all(link.startswith("#") for link in page.links)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(page.tags)
    assert "@import" not in html
    assert "url(http" not in html


def test_local_references_of_the_figures_exist(page: Page) -> None:
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_states_the_result_and_its_conditions(page: Page) -> None:
    text = " ".join(page.text.split())
    assert "The network picked for the highest predicted accuracy (accuracy pick)" in text
    for fact in (
        "Spoken digits <0-9>, split by recording",
        "HERMES_DEFAULT fedcba987654",
        "hermes, 4-phase reads",
        "by recording",
        "1.2 \u00d7 10\u00b2\u2070 networks",
        "what it says here is a guess",
        "analognas search --task kws --set converters.adc_bits=6 --baselines",
        "Fitted to 120 networks",
        "digital units, links, buffers",
        "mean - 1.645 sd",
        "25 simulated chips",
    ):
        assert fact in text, fact
    for kind in ("predicted", "simulated", "modelled", "counted", "digital"):
        assert kind in text


def test_a_baseline_that_does_better_is_said_to(run_folder: Path) -> None:
    by_name = {bundle.name: bundle for bundle in read_bundles(run_folder / "winners")}
    weak, strong = by_name["ds-cnn"], by_name["accuracy"]
    pick = replace(weak, origin=replace(weak.origin, baseline=False))
    baseline = replace(strong, origin=replace(strong.origin, name="resnet", baseline=True))
    worse, better = (
        summary_sentences(pair, PREDICTED)[2] for pair in ([pick, baseline], [strong, weak])
    )
    assert "points less accurate than resnet at 2.0 times" in worse
    assert "points more accurate than ds-cnn" in better


def test_the_same_run_gives_the_same_page(run_folder: Path, html: str) -> None:
    assert write_report(run_folder).read_text(encoding="utf-8") == html


def test_a_run_without_winners_still_has_a_report(search_folder: Path) -> None:
    page = Page(write_report(search_folder).read_text(encoding="utf-8"))
    assert [section for section in page.ids if section in SECTIONS] == ["front", "meaning", "run"]
    assert "No network has been trained and measured in this run yet" in page.text


def test_an_interrupted_search_is_said_to_have_no_front(search_folder: Path) -> None:
    (search_folder / "front.csv").unlink()
    page = Page(write_report(search_folder).read_text(encoding="utf-8"))
    assert "has not come to its end" in page.text


def test_a_network_without_prediction_has_no_gap(run_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    for pick in copy.glob("winners/*/pick.json"):
        content = json.loads(pick.read_text())
        pick.write_text(json.dumps({**content, "predicted": []}))
    assert "gap, points" not in write_report(copy).read_text(encoding="utf-8")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, run_folder: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a search"):
        write_report(tmp_path)
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    next(copy.glob("winners/knee-*/placement.json")).write_text("{")
    with pytest.raises(UserError, match="analognas resume"):
        write_report(copy)


def test_figures_can_be_had_as_pictures(run_folder: Path, tmp_path: Path) -> None:
    written = write_figures(run_folder, tmp_path / "figures")
    assert [path.name for path in written] == ["front.png", "drift.png", "gap.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
