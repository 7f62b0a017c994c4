"""Habits that no tool checks: what the packages export and import, what is written down."""

import ast
import importlib
import io
import re
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pcaps", "conntrack", "firewall")
MADE_BY_TOOLS = {"build", "dist", "htmlcov", "out", "actual", "__pycache__"}
MOST_LINES = 450
HEAVY = {"numpy", "numba", "scapy", "pydantic", "rich", "polars", "starlette", "uvicorn"}
ONLY_IMPORTERS = {
    "numba": {f"pcaps/accelerate/{name}.py" for name in ("__init__", "compilers", "operations")},
    "scapy": {"pcaps/craft.py", "pcaps/scapy_pipe.py"},
}

# One character stands in brackets, so that these lines do not find themselves.
UNWANTED = {
    "a folder of one machine": re.compile(r"(?<![\w.*])/(?:root|work|home)/\w"),
    "a package index": re.compile(r"index-ur[l]|trusted-hos[t]|/simpl[e]/"),
    "a folder beside the checkout": re.compile(r"\.\./share[d]"),
}
KNOWS_THE_FOLDER_BESIDE = ".ci/run"
SUPPRESSION = re.compile(r"noqa(: *[A-Z]+\d+(, *[A-Z]+\d+)*)?|type: *ignore(\[[\w, -]+\])?")


def written(*tops: str) -> Iterator[Path]:
    """The files that people write, below these folders or everywhere; nothing that tools make."""
    for top in tops or (".",):
        for path in sorted((ROOT / top).rglob("*")):
            parts = path.relative_to(ROOT).parts
            hidden = any(part.startswith(".") for part in parts) and parts[0] != ".ci"
            if path.is_file() and not hidden and not MADE_BY_TOOLS.intersection(parts):
                yield path


def modules(*tops: str) -> list[Path]:
    return [path for path in written(*tops) if path.suffix == ".py"]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def from_imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every (module, name) of a file's `from module import name`, and (module, "") of its `import module`."""
    for node in ast.walk(ast.parse(text(path), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.asname or alias.name) for alias in node.names)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


# --- packages --------------------------------------------------------------------------------------
@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_for_its_users_stands_in_all(package: str) -> None:
    offered = {name for module, name in from_imports(ROOT / package / "__init__.py") if module.startswith(PACKAGES)}
    exported = importlib.import_module(package).__all__
    assert offered == set(exported)
    assert len(exported) == len(set(exported))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_in_all_exists(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_package_says_what_it_is() -> None:
    folders = [path for path in modules(*PACKAGES) if path.name == "__init__.py"]
    assert len(folders) >= len(PACKAGES)
    assert [named(path) for path in folders if not ast.get_docstring(ast.parse(text(path)))] == []


@pytest.mark.parametrize(("library", "importers"), ONLY_IMPORTERS.items())
def test_few_modules_import(library: str, importers: set[str]) -> None:
    found = {
        named(path)
        for path in modules(*PACKAGES)
        if any(module.split(".")[0] == library for module, _ in from_imports(path))
    }
    assert found == importers


@pytest.mark.parametrize("importer", sorted(ONLY_IMPORTERS["scapy"]))
def test_a_module_that_imports_scapy_names_its_licence(importer: str) -> None:
    assert "GPL-2.0-only" in text(ROOT / importer)[:1000]


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["explain", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import atexit, sys\n"
        "from firewall.cli import main\n"
        "atexit.register(lambda: print('loaded', *sorted(sys.modules), file=sys.stderr))\n"
        f"sys.argv = ['eniwall', *{arguments}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Usage: eniwall" in done.stdout
    loaded = done.stderr.split()
    assert "firewall.cli" in loaded
    assert HEAVY.intersection(loaded) == set()


# --- what is written -------------------------------------------------------------------------------
def test_nothing_written_names_a_private_place() -> None:
    found = []
    for path in written():
        try:
            lines = text(path).splitlines()
        except UnicodeDecodeError:
            continue  # a capture or a picture
        found += [
            f"{named(path)}:{number}: {what}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            for what, pattern in UNWANTED.items()
            if pattern.search(line) and not (what.endswith("checkout") and named(path) == KNOWS_THE_FOLDER_BESIDE)
        ]
    assert found == []


def test_every_suppressed_finding_says_why() -> None:
    unexplained = [
        f"{named(path)}:{line}: {comment}"
        for path in modules()
        for line, comment in comments(path)
        if SUPPRESSION.search(comment) and not re.search(r"[a-z]{2}", SUPPRESSION.sub("", comment))
    ]
    assert unexplained == []


def test_no_module_is_too_long_to_read() -> None:
    long = {named(path): len(text(path).splitlines()) for path in modules(*PACKAGES, "tests")}
    assert {path: lines for path, lines in long.items() if lines > MOST_LINES} == {}


# --- what is shipped -------------------------------------------------------------------------------
def test_the_installed_version_is_the_project_s() -> None:
    assert version("eniwall") == tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_their_samples_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == {named(path) for path in written(*PACKAGES)}
    assert any(name.startswith("pcaps/samples/") and name.endswith(".pcap") for name in inside)
