"""The head of every dock widget: help, samples, and a hint that can be closed for good."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from qtpy.QtGui import QDesktopServices

from napari_vae.widgets.common import guide
from napari_vae.widgets.common.guide import Guide, MorePages
from napari_vae.widgets.common.progress_box import ProgressBox
from napari_vae.widgets.spectrum import dock as spectrum

ROOT = Path(__file__).parents[2]
WIDGETS = yaml.safe_load((ROOT / "src/napari_vae/napari.yaml").read_text())["contributions"]["widgets"]


@pytest.fixture
def opened(monkeypatch):
    """Addresses that were opened in the browser."""
    seen = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: seen.append(url.toString()))
    return seen


def test_every_dock_leads_to_pages_that_exist(open_widget, opened):
    names = [named["display_name"] for named in WIDGETS]
    assert names.pop() == "Spectrum"  # is no step, and says where its page is as long as no spectra are open
    for name in names:
        widget = open_widget(name)
        (head,) = widget.findChildren(Guide)
        head.help.click()
        links = [link for row in widget.findChildren(MorePages) for link in re.findall(r'href="([^"]+)"', row.text())]
        assert guide.TROUBLES in links
        for page in (head.page, guide.TOUR, *links):
            assert (ROOT / "docs" / f"{page}.md").is_file(), page
    assert (ROOT / "docs" / f"{spectrum.PAGE}.md").is_file()
    assert opened == [guide.address_of(page) for page in ("detection", "models", "explore", "active-learning", "batch")]


def test_the_documentation_is_where_the_package_says_it_is():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Documentation"].replace("/tree/", "/blob/") == guide.DOCS


def test_samples_are_a_click_away_as_long_as_no_image_is_open(viewer, open_widget):
    head = open_widget("Detect atoms").findChild(Guide)
    assert set(re.findall(r'"sample:(\w+)"', head.hint.text())) == {"graphene", "perovskite", "cards"}
    head.hint.linkActivated.emit("sample:cards")
    assert len(viewer.layers) > 0
    assert "sample:" not in head.hint.text() and "Press Detect" in head.hint.text()


def test_a_hint_that_was_closed_stays_away(viewer, open_widget, remembered):
    viewer.add_image(np.zeros((32, 32)), name="image")
    heads = [open_widget(name).findChild(Guide) for name in ("Detect atoms", "Batch")]
    assert not any(head.frame.isHidden() for head in heads)
    heads[0].close_hint.click()
    assert all(head.frame.isHidden() for head in heads)
    assert "shown: false" in remembered.config_path.read_text()
    assert open_widget("Active learning").findChild(Guide).frame.isHidden()
    viewer.layers.clear()  # samples are offered again, but nothing is left to be closed
    assert not heads[0].frame.isHidden() and heads[0].close_hint.isHidden()


def test_a_refusal_names_pages_and_the_next_word_takes_them_away(open_widget, opened):
    progress = open_widget("Detect atoms").progress
    progress.button.click()
    assert "no image" in progress.words.text().lower()
    assert not progress.more.isHidden()
    progress.more.linkActivated.emit("troubleshooting")
    assert (ROOT / "docs" / f"{spectrum.PAGE}.md").is_file()
    assert opened == [guide.address_of("troubleshooting")]
    progress.say("Ready.")
    assert progress.more.isHidden()


def test_links_can_be_read_on_dark_and_on_light_ground(viewer, open_widget):
    from napari.settings import get_settings

    head, more = (open_widget("Detect atoms").findChild(kind) for kind in (Guide, MorePages))
    appearance = get_settings().appearance
    before = appearance.theme
    for theme, (bright, dark) in {"dark": (0.6, 1), "light": (0, 0.4)}.items():
        appearance.theme = theme
        for words in (head.hint.text(), more.text()):
            (color,) = set(re.findall(r"color: #(\w{6})", words))
            assert bright <= int(color, 16) / 0xFFFFFF <= dark, (theme, color)
    appearance.theme = before


def test_what_the_tour_names_is_there(open_widget):
    """Every name in bold, and every one in italics that is not a path through menus, stands in one of the docks."""
    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel

    page = (ROOT / "docs/getting-started.md").read_text()
    bold = re.findall(r"\*\*([^*]+)\*\*", page)
    leaning = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", page)
    names = {*bold, *(name for name in leaning if "→" not in name)} - {"napari-vae", "Preferences"}
    there = {named["display_name"] for named in WIDGETS} | {"class", "z1", "z2", "angle"}  # columns of an rVAE
    for widget in (open_widget(name) for name in ("Detect atoms", "Train VAE", "Explore latents")):
        for part in (*widget.findChildren(QAbstractButton), *widget.findChildren(QLabel)):
            there.add(part.text().removeprefix("▸").strip())
        there |= {action.text() for action in widget.findChildren(QAction)}
        for box in widget.findChildren(QComboBox):
            there |= {box.itemText(row) for row in range(box.count())}
        for box in widget.findChildren(ProgressBox):
            box.begin("at work")
            there.add(box.button.text())
    assert len(names) > 25
    assert names <= there, names - there


@pytest.mark.parametrize(("dock", "before"), [("Detect atoms", "Press Detect"), ("Train VAE", "Detect atoms first")])
def test_hints_go_on_when_there_are_atoms(dock, before, viewer, open_widget):
    hint = open_widget(dock).findChild(Guide).hint
    viewer.add_image(np.zeros((32, 32)), name="image")
    assert before in hint.text()
    atoms = viewer.add_points([[3, 3]], name="atoms")
    assert before not in hint.text()
    viewer.layers.remove(atoms)
    assert before in hint.text()
