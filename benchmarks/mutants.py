"""What the tests do not see: single changes of the code without Qt, drawn by a seed, each against its tests.

python benchmarks/mutants.py --n 200 --seed 0
python benchmarks/mutants.py --n 200 --seed 0 --rooms atoms crystal --log mutants.jsonl   # a part of the same draw

A change swaps a comparison, an operator of arithmetic, a sign, "and" and "or", True and False, min and max, takes a
"not" away, or makes 0, 1 or 2 one more or less (other numbers are tuned, not right or wrong). The suite is run once to
see which test runs which lines (with --log that is kept). A change is tried on a copy of the project by the tests that
run its line, those that run little else first, until one fails. With --log the outcomes are kept too, and what is there
is not run again unless it survived. Needs `coverage`, and Linux or macOS.
"""

import argparse
import ast
import gc
import importlib
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

import coverage
import pytest

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
QUIETLY = ["-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
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
    """Which tests run which lines, and what they cost, as `watch` found it."""

    def __init__(self, seen):
        self.data = coverage.CoverageData(str(seen.with_suffix(".coverage")))
        self.data.read()
        self.paths = {path.partition("/copy/")[2]: path for path in self.data.measured_files()}
        self.tests = json.loads(seen.read_text())
        self.lines = Counter()  # that a test runs, of the whole project
        for path in self.data.measured_files():
            self.lines.update(name for names in self.data.contexts_by_lineno(path).values() for name in names)

    def tests_of(self, mutant, seconds):
        """Tests of a change, best first, as many as fit into so many seconds."""
        run = self.data.contexts_by_lineno(self.paths[mutant.file]) if mutant.file in self.paths else {}
        direct = {name for name in run.get(mutant.line, []) if name}
        direct = direct or {name for names in run.values() for name in names if name}  # of what is run on import
        direct = direct or {name for name in self.tests if name.startswith(f"tests/{mutant.room}/")}  # of nothing else
        files = {name.partition("::")[0] for name in direct}  # the others there may share what a first one prepared
        beside = [name for name in self.tests if name not in direct and name.partition("::")[0] in files]
        chosen, total = [], 0.0
        for name in (*sorted(direct, key=self.lines.__getitem__), *beside):
            cost = self.tests.get(name)  # of those that pass
            if cost is not None and total + cost <= seconds:
                chosen.append(name)
                total += cost
        return chosen


class Watch:
    """Notes which test runs which lines, how long it takes, and whether it passes."""

    def __init__(self, measured):
        self.measured, self.seconds, self.failed = measured, {}, set()

    def pytest_collection_modifyitems(self, items):
        """Tests of windows, and of other things than the code, are left out."""
        items[:] = [item for item in items if not (WINDOWS & {*item.fixturenames} or OTHERS.match(item.path.name))]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        """Put down to this test what is run now."""
        began = spent()
        self.measured.switch_context(item.nodeid)
        result = yield
        self.measured.switch_context("")
        self.seconds[item.nodeid] = spent() - began
        return result

    def pytest_runtest_logreport(self, report):
        """Remember what fails without any change."""
        if report.failed:
            self.failed.add(report.nodeid)


def watch(copy, seen):
    """Run the suite once, and write down what `Chooser` reads."""
    measured = coverage.Coverage(data_file=str(seen.with_suffix(".coverage")), source=[str(copy / PACKAGE)])
    plugin = Watch(measured)

    def run():
        enter(copy)
        measured.start()
        pytest.main([*QUIETLY, "-m", "not slow", "tests"], plugins=[plugin])
        measured.stop()
        measured.save()
        for name in sorted(plugin.failed):
            print(f"{name} fails without any change, and is left out.", file=sys.__stderr__)
        seen.write_text(json.dumps({name: cost for name, cost in plugin.seconds.items() if name not in plugin.failed}))
        return 0

    os.waitpid(child(run), 0)


def spent():
    """Seconds of computing in this process and those that it waited for, however busy the machine is."""
    return sum(os.times()[:4]) - STARTED[0]


class Order:
    """The tests asked for, in that order; no more of them when the time is over."""

    def __init__(self, tests, seconds):
        self.place, self.seconds, self.over = {name: n for n, name in enumerate(tests)}, seconds, False

    def pytest_collection_modifyitems(self, items):
        """Sort, and leave the others out."""
        items[:] = sorted((item for item in items if item.nodeid in self.place), key=lambda i: self.place[i.nodeid])

    def pytest_runtest_logfinish(self, nodeid, location):
        """Look at the clock."""
        self.over = spent() > self.seconds

    def pytest_runtest_protocol(self, item, nextitem):
        """Pass over what comes when the time is over."""
        return True if self.over else None


def child(run):
    """A process of its own that ends with what `run` returns."""
    number = os.fork()
    if number:
        return number
    code, STARTED[0] = 1, sum(os.times()[:4])
    try:
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:  # whatever happened, what the parent holds is not let go here
        sys.stdout.flush()
        os._exit(code)


def enter(copy):
    """Be in the copy, and write into its file."""
    sink = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.chdir(copy)
    sys.path[:0] = [str(copy / "src"), str(copy / "tests")]
    os.environ |= {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True


def verdict(copy, mutant, tests, seconds):
    """What the tests say of a change: killed, survived, or too long."""
    path, began = copy / mutant.file, time.monotonic()
    text = path.read_bytes()
    start, end = mutant.span
    path.write_bytes(text[:start] + mutant.new.encode() + text[end:])
    try:
        number = child(lambda: run_tests(copy, tests, seconds))
        while not (done := os.waitpid(number, os.WNOHANG))[0]:
            if time.monotonic() - began > 10 * seconds + 60:
                os.killpg(number, signal.SIGKILL)
                os.waitpid(number, 0)
                return "too long", time.monotonic() - began
            time.sleep(0.05)
    finally:
        path.write_bytes(text)
    return "killed" if os.waitstatus_to_exitcode(done[1]) else "survived", time.monotonic() - began


def run_tests(copy, tests, seconds):
    """The exit code of pytest, in this process."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    enter(copy)
    os.dup2(1, 2)
    files = dict.fromkeys(name.partition("::")[0] for name in tests)
    return int(pytest.main([*QUIETLY, "-x", *files], plugins=[Order(tests, seconds)])) if tests else 0


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
    options = parser.parse_args()
    mutants, n_sites = draw(options.n, options.seed)
    mutants = [mutant for mutant in mutants if not options.rooms or mutant.room in options.rooms]
    print(f"{len(mutants)} changes; {options.n} were drawn of {n_sites} with seed {options.seed}", flush=True)
    known = {}
    if options.log and options.log.exists():
        known = {tuple(row[:-1]): row[-1] for row in map(json.loads, options.log.read_text().splitlines())}
    os.environ |= {"OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    for name in HEAVY:
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):  # and what pytest would read each time
        plugin.load()
    gc.freeze()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "_build", "images"))
        seen = options.log.with_suffix(".seen") if options.log else Path(folder) / "seen"
        if not seen.exists():
            watch(copy, seen)
        chooser = Chooser(seen)
        for number, mutant in enumerate(mutants, 1):
            key = (mutant.file, mutant.function, mutant.old, mutant.new, *mutant.span)
            word, said = known.get(key, "survived"), "(known)"
            if word == "survived":
                tests = chooser.tests_of(mutant, options.limit)
                word, seconds = verdict(copy, mutant, tests, 2 * options.limit)
                said = f"{seconds:.0f} s, {len(tests)} tests {said_last(copy)}"
                if options.log:
                    with options.log.open("a") as log:
                        print(json.dumps([*key, word]), file=log)
            outcomes.append((mutant, word))
            where = f"{mutant.file.removeprefix(str(PACKAGE) + '/')}:{mutant.line}"
            print(f"{number:>4} {where} {mutant.kind}: {word} {said}", flush=True)
    print("\n".join(table(outcomes)))


if __name__ == "__main__":
    main()
