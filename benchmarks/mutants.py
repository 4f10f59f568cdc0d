"""What the tests do not see: single changes of the code without Qt, drawn by a seed, each against its tests.

python benchmarks/mutants.py --n 200 --seed 0
python benchmarks/mutants.py --n 200 --seed 0 --rooms atoms crystal --log mutants.jsonl   # a part of the same draw

A change swaps a comparison, an operator of arithmetic, a sign, "and" and "or", True and False, min and max, takes a
"not" away, or makes 0, 1 or 2 one more or less (other numbers are tuned, not right or wrong). Its tests are those that
name the module or one of its public functions or classes, then those of the modules that import it.
They run on a copy of the project, first those that name the changed function, until one fails. With --log the outcomes
are kept, and what is there is not run again unless it survived. Needs Linux or macOS.
"""

import argparse
import ast
import gc
import importlib
import inspect
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("src/napari_vae")
OTHERS = re.compile("test_(project|import_rules|widgets)")  # tests of other things
WINDOWS = {"qtbot", "viewer", "open_widget"}  # what tests of windows ask for
SWAPS = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax"}
NAMES |= {"argmax": "argmin", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
HEAVY = ["torch", "scipy.ndimage", "scipy.optimize", "sklearn.mixture", "sklearn.cluster", "gpytorch", "botorch.models"]
HEAVY += [
    "pandas",
    "dask.array",
    "matplotlib.pyplot",
    "pint",
    "tifffile",
    "imageio.v3",
    "h5py",
    "typer",
    "napari.qt",
    "napari.viewer",
]
MEMORY = 12 << 30  # bytes of addresses; a mutant must not fill the machine


@dataclass(frozen=True)
class Mutant:
    """Lines of a file put in the place of others."""

    file: str
    kind: str
    function: str
    line: int
    span: tuple[int, int]  # bytes of the file
    old: str
    new: str

    @property
    def room(self):
        """First folder of the file."""
        return Path(self.file).relative_to(PACKAGE).parts[0] if Path(self.file).parent != PACKAGE else "top"


NOTHING = Mutant(str(PACKAGE / "__init__.py"), "none", "", 1, (0, 0), "", "")

STARTED = [0.0]


class Sites(ast.NodeVisitor):
    """Everything in a module that can be changed, as (node, enclosing function, kind)."""

    def __init__(self):
        self.found, self.scope = [], []

    def visit_FunctionDef(self, node):
        """Annotations and decorators are left out."""
        self.scope.append(node.name)
        for part in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
            self.visit(part)
        self.scope.pop()

    def visit_ClassDef(self, node):
        """As of functions."""
        self.scope.append(node.name)
        for part in node.body:
            self.visit(part)
        self.scope.pop()

    def visit_AnnAssign(self, node):
        """The value alone."""
        if node.value:
            self.visit(node.value)

    def visit_If(self, node):
        """Imports for types are never run."""
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_JoinedStr(self, node):
        """Left out: before Python 3.12 what is in it has no place of its own."""

    def visit_Raise(self, node):
        """Left out: words."""

    def generic_visit(self, node):
        """Note what can be changed, and look on."""
        kind = kind_of(node)
        if kind:
            self.found.append((node, ".".join(self.scope), kind))
        super().generic_visit(node)


def kind_of(node):
    """How a node can be changed, or None."""
    match node:
        case ast.Compare() if type(node.ops[0]) in SWAPS:
            return "comparison"
        case ast.BinOp() | ast.AugAssign() if type(node.op) in SWAPS:
            sides = [getattr(node, name) for name in ("left", "right", "value") if hasattr(node, name)]
            words = any(
                isinstance(getattr(side, "value", None), str) or isinstance(side, ast.JoinedStr) for side in sides
            )
            return None if words else "arithmetic"
        case ast.UnaryOp(op=ast.USub()):
            return "sign"
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            return "not"
        case ast.BoolOp():
            return "and, or"
        case ast.Constant(value=bool()):
            return "True, False"
        case ast.Constant(value=0 | 1 | 2 | 0.0 | 1.0 | 2.0):
            return "number"
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES and isinstance(node.ctx, ast.Load):
            return "min, max"
    return None


def changed(node, rng):
    """The text of a node, changed."""
    new = ast.parse(ast.unparse(node)).body[0]
    node = new.value if isinstance(new, ast.Expr) else new
    match node:
        case ast.Compare():
            node.ops[0] = rng.choice(SWAPS[type(node.ops[0])])()
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            node.op = rng.choice(SWAPS[type(node.op)])()
        case ast.UnaryOp():
            node = node.operand
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant():
            node.value += rng.choice([-1, 1])
        case ast.Name():
            return NAMES[node.id]
        case ast.Attribute():
            node.attr = NAMES[node.attr]
            return ast.unparse(node)
    return ast.unparse(node) if isinstance(node, ast.AugAssign | ast.Constant) else f"({ast.unparse(node)})"


def draw(n, seed):
    """`n` changes of all that can be made."""
    sites = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        if "widgets" in path.relative_to(ROOT / PACKAGE).parts:
            continue
        text = path.read_bytes()
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        visitor = Sites()
        visitor.visit(ast.parse(text))
        for node, function, kind in visitor.found:
            span = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            sites.append((str(path.relative_to(ROOT)), kind, function, node, span, text[slice(*span)].decode()))
    rng = random.Random(seed)
    chosen = rng.sample(sites, n) if n < len(sites) else sites
    return [
        Mutant(file, kind, function, node.lineno, span, old, changed(node, rng))
        for file, kind, function, node, span, old in chosen
    ], len(sites)


class Chooser:
    """Which tests name which module."""

    def __init__(self):
        tests = sorted((ROOT / "tests").rglob("test_*.py"))
        self.uses = {path: names_in(path) for path in tests if not OTHERS.match(path.name)}
        self.modules = {path: names_in(path) for path in (ROOT / PACKAGE).rglob("*.py") if "widgets" not in path.parts}

    def files(self, file):
        """Test files for a module, those that import it first, then those of the modules that import it."""
        level, seen, tests = {ROOT / file}, set(), {}
        while level:
            last = bool(tests)
            tests |= dict.fromkeys(test for path in sorted(level) for test in self._naming(path))
            if last:
                break
            seen |= level
            imported = {dotted(path) for path in level}
            level = {path for path, names in self.modules.items() if imported & names} - seen
        return list(tests)

    def _naming(self, path):
        tree = ast.parse(path.read_text())
        public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        public = {name for name in public if not name.startswith("_")}
        direct = [test for test, names in self.uses.items() if dotted(path) in names]
        others = [test for test, names in self.uses.items() if public & names and test not in direct]
        return sorted(direct, key=lambda test: len(self.uses[test])) + others


def dotted(path):
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def names_in(path):
    """Names after a dot in a file, and the dotted names of what it imports or names in strings."""
    names, home = set(), dotted(path).split(".") if path.is_relative_to(ROOT / "src") else []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(attr=name):
                names.add(name)
            case ast.Import(names=found):
                names.update(one.name for one in found)
            case ast.ImportFrom(module=module, names=found, level=level):
                above = home[: len(home) - level + (path.name == "__init__.py")] if level else []
                whole = ".".join([*above, *filter(None, [module])])
                names.update([whole, *(one.name for one in found), *(f"{whole}.{one.name}" for one in found)])
            case ast.Constant(value=str() as text) if text.startswith("napari_vae."):
                parts = text.split(".")
                names.update(".".join(parts[:n]) for n in range(2, len(parts) + 1))
    return names


def spent():
    """Seconds of computing in this process and those that it waited for, however busy the machine is."""
    return sum(os.times()[:4]) - STARTED[0]


class Order:
    """Tests whose text names the changed function first; no more of them when the time is over."""

    def __init__(self, names, seconds):
        self.names, self.seconds, self.over = names, seconds, False

    def pytest_collection_modifyitems(self, items):
        """Sort; those of windows are left out."""
        items[:] = [item for item in items if not WINDOWS & {*item.fixturenames}]

        def rank(item):
            text = inspect.getsource(item.function)
            return min((n for n, name in enumerate(self.names) if name in text), default=len(self.names))

        items.sort(key=rank)

    def pytest_runtest_logfinish(self, nodeid, location):
        """Look at the clock."""
        self.over = spent() > self.seconds

    def pytest_runtest_protocol(self, item, nextitem):
        """Pass over what comes when the time is over."""
        return True if self.over else None


def verdict(copy, mutant, tests, seconds):
    """What the tests say of a change, or of none: killed, survived, or too long."""
    path, began = copy / mutant.file, time.monotonic()
    text = path.read_bytes()
    start, end = mutant.span
    path.write_bytes(text[:start] + mutant.new.encode() + text[end:])
    try:
        child = os.fork()
        if not child:
            code, STARTED[0] = 1, sum(os.times()[:4])
            try:
                code = run_tests(copy, mutant, tests, seconds)
            except BaseException:
                traceback.print_exc()
            finally:  # whatever happened, what the parent holds is not let go here
                sys.stdout.flush()
                os._exit(code)
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() - began > 10 * seconds + 60:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "too long", time.monotonic() - began
            time.sleep(0.05)
    finally:
        path.write_bytes(text)
    return "killed" if os.waitstatus_to_exitcode(done[1]) else "survived", time.monotonic() - began


def run_tests(copy, mutant, tests, seconds):
    """The exit code of pytest, in this process."""
    import pytest

    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sink = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.chdir(copy)
    sys.path[:0] = [str(copy / "src"), str(copy / "tests")]
    os.environ |= {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    order = Order([*reversed(mutant.function.split(".")), Path(mutant.file).stem], seconds)
    return int(pytest.main([*options, *(str(copy / test.relative_to(ROOT)) for test in tests)], plugins=[order]))


def said_last(copy):
    """The test that failed, if one did."""
    lines = (copy / "output.txt").read_text(errors="replace").splitlines() if (copy / "output.txt").exists() else []
    return next((line.split(" - ")[0] for line in lines if line.startswith(("FAILED", "ERROR"))), "")


def table(outcomes):
    """Lines of a table of the rooms, and those that survived as changes."""
    rooms = sorted({mutant.room for mutant, _ in outcomes})
    yield f"{'room':<12}{'changes':>8}{'killed':>8}{'too long':>10}{'survived':>10}"
    for room in [*rooms, "all"]:
        said = Counter(word for mutant, word in outcomes if room in (mutant.room, "all"))
        yield f"{room:<12}{said.total():>8}{said['killed']:>8}{said['too long']:>10}{said['survived']:>10}"
    for mutant, word in outcomes:
        if word == "survived":
            lines = (ROOT / mutant.file).read_text().splitlines()
            yield f"\n{mutant.file}:{mutant.line} in {mutant.function or 'the module'}"
            yield f"  {lines[mutant.line - 1].strip()}\n- {mutant.old}\n+ {mutant.new}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="*", help="only the changes in these rooms, of the same draw")
    parser.add_argument("--limit", type=float, default=60, help="seconds of computing for the tests of one change")
    parser.add_argument("--log", type=Path, help="a file of outcomes, which is gone on with")
    parser.add_argument("--list", action="store_true", help="only list the changes and their tests")
    options = parser.parse_args()
    mutants, n_sites = draw(options.n, options.seed)
    mutants = [mutant for mutant in mutants if not options.rooms or mutant.room in options.rooms]
    print(f"{len(mutants)} changes; {options.n} were drawn of {n_sites} with seed {options.seed}")
    chooser = Chooser()
    chosen = {mutant: chooser.files(mutant.file) for mutant in mutants}
    if options.list:
        for mutant in mutants:
            print(mutant, *(test.stem for test in chosen[mutant]))
        return
    known = {}
    if options.log and options.log.exists():
        known = {tuple(row[:-1]): row[-1] for row in map(json.loads, options.log.read_text().splitlines())}

    def note(key, word):
        if options.log:
            with options.log.open("a") as log:
                print(json.dumps([*key, word]), file=log)
        return word

    os.environ |= {"OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    for name in HEAVY:
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):  # and what pytest would read each time
        plugin.load()
    gc.freeze()
    outcomes, bad = [], set()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "_build", "images"))
        for test in sorted({test for tests in chosen.values() for test in tests}):
            if known.get((test.stem,)) != "passes" and (
                note((test.stem,), "passes" if verdict(copy, NOTHING, [test], 600)[0] == "survived" else "fails")
                == "fails"
            ):
                bad.add(test)
                print(f"{test.stem} fails without any change, and is left out.", flush=True)
        for number, (mutant, tests) in enumerate(chosen.items(), 1):
            key = (mutant.file, mutant.function, mutant.old, mutant.new, *mutant.span)
            word, said = known.get(key, "survived"), "(known)"
            if word == "survived":
                word, seconds = verdict(copy, mutant, [test for test in tests if test not in bad], options.limit)
                note(key, word)
                said = f"{seconds:.0f} s {said_last(copy)}"
            outcomes.append((mutant, word))
            where = f"{mutant.file.removeprefix(str(PACKAGE) + '/')}:{mutant.line}"
            print(f"{number:>4} {where} {mutant.kind}: {word} {said}", flush=True)
    print("\n".join(table(outcomes)))


if __name__ == "__main__":
    main()
