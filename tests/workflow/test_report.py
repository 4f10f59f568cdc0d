"""The report: complete in itself, safe against what names contain, true in its numbers."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.analysis.figures.micrographs import round_length
from napari_vae.workflow.archive import Analysis
from napari_vae.workflow.report import figures, table_html, write_report

NASTY = "<script>alert('x')</script> & \"co\""


@pytest.fixture(scope="module")
def analysis():
    """A tiny analysis: spots on a square lattice, found beforehand, and one epoch of training."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[10:110:10, 10:110:10]
    y, x = np.mgrid[:120, :120]
    image = sum(np.exp(-((y - r) ** 2 + (x - c) ** 2) / 8) for r, c in zip(rows.flat, columns.flat, strict=True))
    micrograph = nv.Micrograph(image + rng.normal(0, 0.02, image.shape), 0.02, "nm", name=NASTY)
    atoms = pd.DataFrame({"frame": 0, "y": rows.ravel().astype(float), "x": columns.ravel().astype(float)})
    patches = nv.extract_patches(micrograph, atoms, window=16)
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=1, device="cpu"))
    latents = patches.atoms.join(run.encode(patches))
    latents["class"] = np.arange(len(latents)) % 3
    return Analysis(micrograph, atoms, patches, run, latents, {"n_classes": NASTY})


@pytest.fixture(scope="module")
def html(analysis, tmp_path_factory):
    return write_report(analysis, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags that are open or were closed in the wrong order, and everything that a page loads."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.tags, self.sources = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.sources += [value for name, value in attributes if name == "src"]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_is_well_formed_and_needs_no_other_file(html):
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    assert not reader.wrong
    assert len(reader.sources) >= 7
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert not re.search(r"https?://|@import|<link", html)


def test_nothing_that_a_file_says_becomes_markup(html):
    reader = Reader()
    reader.feed(html)
    assert "script" not in reader.tags
    assert html.count("&lt;script&gt;") >= 3


def test_the_numbers_are_those_of_the_analysis(html, analysis):
    assert f"<b>{len(analysis.atoms)}</b><span>atoms</span>" in html
    assert "<b>0.02 nm</b>" in html
    assert "16 × 16 pixels" in html
    assert "window and were left out" in html or not len(analysis.patches.dropped)


def test_pictures_lie_beside_the_page(analysis, tmp_path):
    write_report(analysis, tmp_path)
    names = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert {"atoms", "z1", "angle", "classes", "latents", "manifold", "examples", "training"} <= names


def test_figures_leave_no_global_state(analysis):
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn = figures(analysis)
    assert dict(matplotlib.rcParams) == before
    assert all(figure.axes and caption.endswith(".") for figure, caption in drawn.values())


def test_atoms_are_drawn_where_they_are(analysis):
    axes = figures(analysis)["atoms"][0].axes[0]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), analysis.atoms[["x", "y"]])
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_a_model_without_pose_or_classes(analysis):
    run = nv.fit(analysis.patches, nv.ModelConfig(latent_dim=1), nv.TrainConfig(epochs=1, device="cpu"))
    plain = replace(analysis, run=run, latents=analysis.patches.atoms.join(run.encode(analysis.patches)))
    assert set(figures(plain)) == {"atoms", "z1", "manifold", "examples", "training"}


@pytest.mark.parametrize(("length", "bar"), [(1, 1), (0.999, 0.5), (3.7, 2), (7e-4, 5e-4), (20, 20), (49, 20)])
def test_scale_bars_are_round(length, bar):
    assert round_length(length) == pytest.approx(bar)


def test_tables_align_numbers_and_escape_text():
    table = table_html([["<a>", 1.23456]], ["name", "value"])
    assert "<td>&lt;a&gt;</td><td class=number>1.235</td>" in table
