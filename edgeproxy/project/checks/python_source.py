"""Reads the Python code of Lambda functions for what fails on AWS (LE-ERR-01, LR-005 to LR-007).

The module of the handler is read, and every module of the code's folder that it imports, except for
installed packages. What lies in a ``try``, or in a module that changes its search path or its
names, may well work: nothing is said of it. What runs only under a condition, or in a function,
gets a warning at most.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.project.checks.places import lambda_place
from edgeproxy.project.checks.variables import variable_finding
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.interpreters import find_interpreter

__all__ = ["LAMBDA_MODULES", "check_python"]

LAMBDA_MODULES: Final = frozenset(
    {
        *("awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer"),
        *("simplejson", "six", "snapshot_restore_py", "urllib3"),
    }
)
"""What Lambda's Python runtimes have beside the standard library."""

_ADDED: Final = {
    "graphlib": 9,
    "zoneinfo": 9,
    "tomllib": 11,
    "annotationlib": 14,
    "compression": 14,
}
_REMOVED: Final = {
    **dict.fromkeys(("binhex",), 11),
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), 12),
    **dict.fromkeys(
        (
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
            *("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
            *("telnetlib", "uu", "xdrlib"),
        ),
        13,
    ),
}
"""Modules of the standard library by the minor version that first had, or first lacked, them."""
_CHECK_SYNTAX: Final = (
    "import sys\n"
    "try: compile(sys.stdin.buffer.read(), 'code', 'exec')\n"
    "except SyntaxError as e: print(e.lineno or 1, e.offset or 1, e.msg, sep='|')\n"
)


def check_python(definition: FunctionDefinition, *, at_edge: bool) -> Iterator[CheckFinding]:
    """What reading the code tells; imports and variables are judged for edge functions only.

    Nothing for a runtime that is none of Lambda's for Python.
    """
    spec = definition.spec
    version = re.fullmatch(r"python3\.(\d+)", spec.runtime)
    if version is None:
        return
    name, _, function = spec.handler.rpartition(".")
    reader = _Reader(definition, int(version[1]))
    file = reader.find(name.replace("/", "."))
    if file is None:
        return  # CDN-CFG-277 has told it.
    module = reader.read(file)
    if module is not None:
        yield from _check_handler(reader, module, function)
    waiting, known = [file], {file}
    while waiting:
        module = reader.read(waiting.pop())
        if module is None:
            continue
        for imported in module.imports:
            found = reader.find(imported.name)
            is_installed = imported.name.partition(".")[0] in reader.installed
            if found is not None and found not in known and not is_installed:
                known.add(found)
                waiting.append(found)
        if at_edge:
            yield from _check_imports(reader, module)
            yield from _check_variables(reader, module)
    yield from reader.broken


@dataclass(frozen=True, slots=True)
class _Imported:
    name: str
    node: ast.stmt
    is_sure: bool
    """It is done whenever the module is loaded."""


@dataclass(slots=True)
class _Module:
    file: Path
    tree: ast.Module
    text: str
    imports: list[_Imported] = field(default_factory=list)


class _Reader:
    """Finds and reads modules of one function's folder."""

    def __init__(self, definition: FunctionDefinition, minor: int) -> None:
        self.definition = definition
        self.root = definition.spec.code_root
        self.minor = minor
        self.broken: list[CheckFinding] = []
        self._known: dict[Path, _Module | None] = {}

    def find(self, name: str) -> Path | None:
        """The Python file of a module in the folder, None when it is no such file."""
        path = self.root / name.replace(".", "/")
        for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if name and file.is_file():
                return file
        return None

    @cached_property
    def installed(self) -> frozenset[str]:
        """Top-level modules that pip has put into the folder."""
        return frozenset(
            line.partition("/")[0].partition(".")[0]
            for record in self.root.glob("*.dist-info/RECORD")
            for line in record.read_text("utf-8", "replace").splitlines()
        )

    def has(self, name: str) -> bool:
        """Whether AWS can import the top-level module ``name``."""
        if name in LAMBDA_MODULES or name == "__future__":
            return True
        if self.minor >= _REMOVED.get(name, 99) or self.minor < _ADDED.get(name, 0):
            return self._lies_here(name)
        is_standard = name in sys.stdlib_module_names or name in _ADDED or name in _REMOVED
        return is_standard or self._lies_here(name)

    def _lies_here(self, name: str) -> bool:
        return any(
            entry.name.partition(".")[0] == name and (entry.is_dir() or "." in entry.name)
            for entry in self.root.iterdir()
        )

    def is_listed(self, name: str) -> bool:
        """Whether the folder's requirements.txt names a package that may hold the module."""
        file = self.root / "requirements.txt"
        if not file.is_file():
            return False
        wanted = re.sub(r"[-_.]+", "", name).lower()
        return any(
            wanted in re.sub(r"[-_.]+", "", line.partition("#")[0]).lower()
            for line in file.read_text("utf-8", "replace").splitlines()
        )

    def read(self, file: Path) -> _Module | None:
        """The module in ``file``; None, with a finding, when it is not Python."""
        if file not in self._known:
            self._known[file] = self._read(file)
        return self._known[file]

    def _read(self, file: Path) -> _Module | None:
        source = file.read_bytes()
        own = sys.version_info.minor
        try:
            tree = ast.parse(source, feature_version=(3, min(self.minor, own)))
        except (SyntaxError, ValueError) as error:
            line, column, message = _of_error(error)
            if self.minor > own:  # It may be newer than the Python that reads it here.
                told = self._ask(source)
                if told is None:
                    return None
                line, column, message = told
            self.broken.append(self._syntax_error(file, line, column, message))
            return None
        module = _Module(file, tree, source.decode("utf-8", "replace"))
        package = file.parent.relative_to(self.root).as_posix().replace("/", ".").strip(".")
        module.imports.extend(_imports(tree.body, package, is_sure=True))
        return module

    def _ask(self, source: bytes) -> tuple[int, int, str] | None:
        interpreter = find_interpreter(self.definition.spec.runtime)
        if not interpreter.exact:
            return None
        answer = subprocess.run(
            [interpreter.path, "-S", "-c", _CHECK_SYNTAX],
            input=source,
            capture_output=True,
            check=False,
        )
        line, _, rest = answer.stdout.decode().strip().partition("|")
        column, _, message = rest.partition("|")
        return (int(line), int(column), message) if message else None

    def _syntax_error(self, file: Path, line: int, column: int, message: str) -> CheckFinding:
        module = self.definition.spec.handler.rpartition(".")[0]
        return CheckFinding(
            "LE-ERR-01",
            lambda_place(self.definition, file, line, column),
            f"Runtime.UserCodeSyntaxError: Syntax error in module '{module}': {message} "
            f"({file.name}, line {line})",
            f"mend it; the function is declared for {self.definition.spec.runtime}",
        )

    def finding(
        self,
        module: _Module,
        node: ast.stmt | ast.expr,
        message: str,
        remedy: str,
        severity: Severity = Severity.ERROR,
    ) -> CheckFinding:
        place = lambda_place(self.definition, module.file, node.lineno, node.col_offset + 1)
        return CheckFinding("LE-ERR-01", place, message, remedy, severity)


def _of_error(error: SyntaxError | ValueError) -> tuple[int, int, str]:
    if isinstance(error, SyntaxError):
        return error.lineno or 1, error.offset or 1, error.msg
    return 1, 1, str(error)  # Null bytes.


# imports


def _imports(body: list[ast.stmt], package: str, *, is_sure: bool) -> Iterator[_Imported]:
    """The imports of a block; none out of a ``try``, whose handlers know what to do."""
    for statement in body:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    yield _Imported(alias.name, statement, is_sure)
            case ast.ImportFrom(module=module, level=0) if module:
                yield _Imported(module, statement, is_sure)
            case ast.ImportFrom(module=module, level=level, names=names):
                outer = ".".join(package.split(".")[: -level + 1 or None])
                base = ".".join(part for part in (outer, module) if part)
                for alias in names:
                    yield _Imported(f"{base}.{alias.name}".strip("."), statement, False)
                if base:
                    yield _Imported(base, statement, False)
            case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                pass
            case ast.Try() | ast.TryStar():
                pass
            case ast.With(body=inner) | ast.ClassDef(body=inner):
                yield from _imports(inner, package, is_sure=is_sure)
            case _:
                for name in ("body", "orelse"):
                    yield from _imports(getattr(statement, name, []), package, is_sure=False)


def _check_imports(reader: _Reader, module: _Module) -> Iterator[CheckFinding]:
    if "sys.path" in module.text or "addsitedir" in module.text:
        return
    handler_module = reader.definition.spec.handler.rpartition(".")[0]
    for imported in module.imports:
        top = imported.name.partition(".")[0]
        is_relative = isinstance(imported.node, ast.ImportFrom) and imported.node.level
        if is_relative or reader.has(top):
            continue
        is_sure = imported.is_sure and not reader.is_listed(top)
        yield reader.finding(
            module,
            imported.node,
            f"Runtime.ImportModuleError: Unable to import module '{handler_module}': "
            f"No module named '{top}'",
            _import_remedy(reader, top),
            Severity.ERROR if is_sure else Severity.WARNING,
        )


def _import_remedy(reader: _Reader, name: str) -> str:
    if reader.is_listed(name):
        return "requirements.txt lists it: install it into the folder before you deploy (sam build)"
    removed = _REMOVED.get(name)
    if removed is not None and reader.minor >= removed:
        return f"Python 3.{removed} has removed it from the standard library"
    if reader.minor < _ADDED.get(name, 0):
        return f"it came with Python 3.{_ADDED[name]}: declare a newer runtime"
    return f"put it beside the function: pip install --target {reader.root.name} …"


# the handler


def _check_handler(reader: _Reader, module: _Module, name: str) -> Iterator[CheckFinding]:
    handler = reader.definition.spec.handler
    names = _bound_names(module.tree.body)
    if name not in names:
        if "*" not in names and "__getattr__" not in names and "globals()" not in module.text:
            yield reader.finding(
                module,
                module.tree.body[0] if module.tree.body else ast.Pass(lineno=1, col_offset=0),
                f"Runtime.HandlerNotFound: Handler '{name}' missing on module "
                f"'{handler.rpartition('.')[0]}'",
                f"define {name}(event, context), or mend the Handler {handler!r}",
            )
        return
    defined = names[name]
    if isinstance(defined, ast.AsyncFunctionDef) and not defined.decorator_list:
        yield reader.finding(
            module,
            defined,
            "Runtime.MarshalError: Unable to marshal response: Object of type coroutine is not "
            "JSON serializable",
            "make it a plain function that calls asyncio.run()",
        )
    elif isinstance(defined, ast.FunctionDef) and not defined.decorator_list:
        given = defined.args
        positional = len(given.posonlyargs) + len(given.args)
        needed = positional - len(given.defaults)
        if (positional < 2 and given.vararg is None) or needed > 2:
            yield reader.finding(
                module,
                defined,
                f"TypeError: {name}() takes {positional} positional "
                f"argument{'' if positional == 1 else 's'} but 2 were given",
                f"define {name}(event, context)",
            )


def _bound_names(body: list[ast.stmt]) -> Mapping[str, ast.AST]:
    """What the statements of a module bind; ``*`` for an import of everything."""
    names: dict[str, ast.AST] = {}
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names[name] = statement
            case ast.ClassDef(name=name):
                names[name] = statement
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                for alias in imported:
                    names[alias.asname or alias.name.partition(".")[0]] = statement
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        names[node.id] = node
                for part in ("body", "orelse", "finalbody"):
                    names.update(_bound_names(getattr(statement, part, [])))
                for handler in getattr(statement, "handlers", []):
                    names.update(_bound_names(handler.body))
    return names


# environment variables


def _check_variables(reader: _Reader, module: _Module) -> Iterator[CheckFinding]:
    """``os.environ["X"]`` and ``os.getenv("X")`` of what Lambda@Edge does not set (LE-ASSOC-09)."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Subscript(
                value=ast.Attribute(attr="environ") | ast.Name(id="environ"),
                slice=ast.Constant(value=str(name)),
                ctx=ast.Load(),
            ):
                what = f"KeyError: '{name}'"
            case ast.Call(
                func=ast.Attribute(attr="get", value=ast.Attribute(attr="environ"))
                | ast.Attribute(attr="getenv", value=ast.Name(id="os")),
                args=[ast.Constant(value=str(name))],
                keywords=[],
            ):
                what = f"{name} is None"
            case _:
                continue
        if re.search(rf"""['"]{name}['"] (?:not )?in (?:os\.)?environ""", module.text):
            continue
        place = lambda_place(reader.definition, module.file, node.lineno, node.col_offset + 1)
        yield from variable_finding(name, what, place)
