"""Rules of the house: what imports what, and what must not occur in the sources."""

import ast
import functools
import importlib
import importlib.util
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import napari_vae

PACKAGE = Path(napari_vae.__file__).parent
ROOT = Path(__file__).parent.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
#: From the ground up; each imports only rooms before it.
ROOMS = ["core", "io", "atoms", "crystal", "samples", "patches", "models", "runs", "training", "analysis", "workflow"]
ROOMS += ["learning", "layers", "batch", "cli", "widgets"]
#: Those that compute with torch, and the only modules of others that do.
COMPUTING = ("models", "runs", "training", "workflow", "learning", "layers.analysis")
COMPUTING += (
    "batch.encoding",
    "batch.models",
    "batch.pairs",
    "batch.signals",
    "batch.sources",
    "batch.together",
    "cli.explore",
    "cli.window",
)
#: Of learning what the window needs before a job begins.
OF_FORMS = ("config", "explore.record", "explore.stopping")
HEAVY = ("torch", "napari", "qtpy", "PySide6", "PyQt6", "magicgui", "pyqtgraph")


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def nodes_of(path):
    """What a file says, node by node."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path):
    """Every module named in an import statement anywhere in a file."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def loaded_after(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def own_imports(path):
    """Every module of ours that a file imports, at its top, inside functions, and for types."""
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            home = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                inside = f"{home}.{alias.name}"
                yield inside if find_module(inside) else home


@functools.cache
def find_module(name):
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_a_room_imports_only_rooms_before_it():
    here = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert here == set(ROOMS)
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)/` \| ", page, re.MULTILINE)[: len(ROOMS)] == ROOMS
    up = []
    for path in SOURCES:
        room = path.relative_to(PACKAGE).parts[0]
        for target in own_imports(path) if room in ROOMS else ():
            other = f"{target}.".split(".")[1]
            if other in ROOMS[ROOMS.index(room) + 1 :]:
                up.append(f"{module_name(path)} imports {target}")
    assert not up


def test_no_modules_import_each_other():
    """Neither two nor more in a circle, whether at the top, in functions or for types."""
    TopologicalSorter({f"napari_vae.{module_name(path)}": {*own_imports(path)} for path in SOURCES}).prepare()


def test_imports_are_hidden_in_functions_only_at_the_doors():
    """Where napari, the window or the command line call, and shall not wait for torch."""
    hidden = []
    for path in SOURCES:
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "layers", "widgets", "__init__.py"):
            functions = (node for node in nodes_of(path) if isinstance(node, ast.FunctionDef))
            inside = (node for function in functions for node in ast.walk(function) if isinstance(node, ast.ImportFrom))
            hidden += [f"{module_name(path)}:{node.lineno}" for node in inside if node.level]
    assert not hidden


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_after("import napari_vae; dir(napari_vae)")
    assert not loaded & {*HEAVY, "pandas", "scipy", "numpy", "matplotlib", "sklearn", "skimage"}


def test_no_module_but_those_that_compute_loads_torch_or_a_window():
    names = [
        f"napari_vae.{name}"
        for name in map(module_name, SOURCES)
        if not name.startswith((*COMPUTING, "widgets", "__main__")) and name != "__init__"
    ]
    assert len(names) > 20
    names += [f"napari_vae.learning.{name}" for name in OF_FORMS]
    loaded = loaded_after("import importlib; " + "; ".join(f"importlib.import_module({name!r})" for name in names))
    assert not loaded & set(HEAVY)


def test_help_loads_nothing_heavy():
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
    code += "from napari_vae.cli.app import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "analyze" in done.stdout
    assert not set(done.stderr.split()) & {*HEAVY, "numpy", "pandas"}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_file_keeps_the_rules(path):
    """All rules in one test of each file: a test of its own for each takes longer than the rules do."""
    only_the_widgets_import_qt(path)
    nothing_private_of_napari_is_touched(path)
    nothing_can_execute_a_file(path)
    files_are_read_in_one_go(path)
    what_is_imported_of_our_own_exists(path)


def only_the_widgets_import_qt(path):
    qt = {name for name in imported(path) if name.split(".")[0] in ("qtpy", "PySide6", "PyQt6", "superqt", "pyqtgraph")}
    qt |= {name for name in imported(path) if name.startswith(("napari.qt", "napari._qt"))}
    allowed = module_name(path).startswith("widgets")
    assert allowed or not qt


def nothing_private_of_napari_is_touched(path):
    private = {name for name in imported(path) if re.match(r"napari(\.\w+)*\._", name)}
    owners = {"viewer", "layer", "napari_viewer", "points", "image", "labels", "window", "worker"}
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner in owners:
                private.add(f"{owner}.{node.attr}")
    assert not private


def nothing_can_execute_a_file(path):
    assert not {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"} & set(imported(path))
    for node in nodes_of(path):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "torch.load", "yaml.load", "os.system"}
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            assert not (called == "np.load" and ast.unparse(options["allow_pickle"]) != "False")
            assert "shell" not in options


PUBLIC = [f"napari_vae.{name}" for name in napari_vae.__all__]
PUBLIC += [
    f"napari_vae.{room}.{name}"
    for room in napari_vae.__all__
    if room in ROOMS
    for name in dir(getattr(napari_vae, room))
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_says_what_it_is(name):
    home, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(home), last)
    assert found.__doc__
    assert not found.__doc__.startswith(f"{last}(")  # what a dataclass without words of its own has
    assert last in dir(importlib.import_module(home))


def test_few_names_are_at_the_top():
    assert len(napari_vae.__all__) <= 45


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No napari_vae attribute detect"):
        napari_vae.detect  # noqa: B018


def files_are_read_in_one_go(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def what_is_imported_of_our_own_exists(path):
    """Also inside functions, where nobody notices before they are called; mypy does not look into the widgets."""
    package = ["napari_vae", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            home = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                found = hasattr(importlib.import_module(home), alias.name)
                assert found or importlib.util.find_spec(f"{home}.{alias.name}"), f"{home} has no {alias.name}"
