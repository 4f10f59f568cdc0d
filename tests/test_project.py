"""The project around the code: version, manifest, pinned versions, links, and what a wheel holds."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "src" / "napari_vae" / "napari.yaml"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def metadata():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def imported():
    """Distributions that the package imports from, here or inside a function."""
    modules = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(node.module.split(".")[0])
    found = importlib.metadata.packages_distributions()
    outside = modules - set(sys.stdlib_module_names) - {"napari_vae"}
    return {canonicalize_name(name) for module in outside for name in found.get(module, [module])}  # extras may miss


@pytest.fixture(scope="module")
def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(r.name): r for r in map(Requirement, (line for line in lines if line[:1].isalnum()))}


def test_version_comes_from_git(metadata):
    assert metadata["project"]["dynamic"] == ["version"]
    assert metadata["tool"]["hatch"]["version"]["source"] == "vcs"
    Version(importlib.metadata.version("napari-vae"))


def test_changelog_tells_of_this_version():
    version = Version(importlib.metadata.version("napari-vae"))
    wanted = "Unreleased" if version.is_devrelease else re.escape(version.base_version)
    assert re.search(rf"^## .*{wanted}", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_manifest_is_linked_and_valid(metadata):
    from npe2 import PluginManifest

    link = ROOT / "napari.yaml"
    assert link.read_text(encoding="utf-8") in (MANIFEST.read_text(encoding="utf-8"), "src/napari_vae/napari.yaml")
    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.name == metadata["project"]["name"]
    manifest.validate_imports()


def test_manifest_is_found_by_napari():
    from npe2 import PluginManifest

    assert PluginManifest.from_distribution("napari-vae").name == "napari-vae"


def test_tests_run_with_the_pinned_versions(constraints):
    assert str(constraints["torch"].specifier) == "==2.13.0"
    for requirement in constraints.values():
        assert re.fullmatch(r"==[^+]*", str(requirement.specifier)), f"{requirement}: an exact public version"


def test_every_dependency_is_pinned(metadata, constraints):
    project = metadata["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["formats"], *extras["tables"], *extras["film"], *extras["cluster"]]
    for group in metadata["dependency-groups"].values():
        wanted += [entry for entry in group if isinstance(entry, str)]
    for requirement in map(Requirement, wanted):
        pinned = constraints[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(str(pinned.specifier).removeprefix("==")), requirement.name


def test_every_base_dependency_is_justified(metadata):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for requirement in map(Requirement, metadata["project"]["dependencies"]):
        assert f"`{requirement.name}`" in page, f"docs/architecture.md does not say why {requirement.name} is needed"


def test_what_is_imported_is_declared(metadata, imported):
    project = metadata["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["formats"], *extras["tables"], *extras["film"], *extras["cluster"]]
    assert imported <= {canonicalize_name(Requirement(entry).name) for entry in declared}


def test_readme_links_are_absolute():
    links = re.findall(r"\]\(([^)\s]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert link.startswith(("https://", "#")), f"{link}: the hub page shows the README outside of the repository"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page):
    ours = re.compile(
        r"https://(?:github\.com/napari-vae/napari-vae/(?:blob|tree)|raw\.githubusercontent\.com/napari-vae/napari-vae)/main/"
    )
    for link in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
        if ours.match(link):
            assert (ROOT / ours.sub("", link)).exists(), link
        elif "://" not in link:
            assert (page.parent / link).exists(), link


def test_reference_has_every_public_name():
    import napari_vae

    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r":: napari_vae\.([\w.]+)", page))
    rooms = {name for name in napari_vae.__all__ if isinstance(getattr(napari_vae, name), ModuleType)}
    public = {f"{room}.{name}" for room in rooms for name in dir(getattr(napari_vae, room))}
    same = {name for name in public if name.split(".")[1] in napari_vae.__all__}  # also at the top
    assert documented >= {*napari_vae.__all__} - rooms | public - same
    assert {".".join(name.split(".")[: 1 + (name.split(".")[0] in rooms)]) for name in documented} <= {
        *napari_vae.__all__
    } | public


def test_wheel_holds_the_manifest_and_the_type_marker(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        declared = archive.read(entry_points).decode()
    assert {"napari_vae/napari.yaml", "napari_vae/py.typed", "napari_vae/atoms/weights/atomnet.safetensors"} <= names
    real = ROOT / "src" / "napari_vae" / "samples" / "real"
    assert {f"napari_vae/samples/real/{path.name}" for path in real.iterdir()} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]
    assert "napari-vae = napari_vae:napari.yaml" in declared
    assert "napari-vae = napari_vae.cli.app:main" in declared


def test_files_of_tests_have_names_of_their_own():
    """Two of one name, in folders that are no packages, cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    assert sorted(set(names)) == sorted(names)


def test_architecture_names_every_module():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "src" / "napari_vae").iterdir():
        if path.suffix == ".py" or (path / "__init__.py").exists():
            name = path.name if path.is_file() else f"{path.name}/"
            assert f"`{name}`" in page, f"docs/architecture.md does not say what {name} is about"
