"""Every import resolves, also those within functions; and there are no circular imports."""

import ast
from importlib import import_module
from pathlib import Path

import huidurep_hf

ROOT = Path(huidurep_hf.__file__).parent
FILES = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


def own_imports(module, *, at_import):
    """`(module, name)` of each import from this package; with `at_import` of those that run when it is imported."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []

    def visit(node, runs):
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            is_for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if isinstance(child, ast.ImportFrom) and child.level and (runs or not at_import):
                base = package.split(".")
                base = base[: len(base) - child.level + 1]
                source = ".".join([*base, *([child.module] if child.module else [])])
                found.extend((source, alias.name) for alias in child.names)
            visit(child, runs and not is_function and not is_for_types)

    visit(ast.parse(path.read_text()), True)
    return found


def test_what_is_imported_from_this_package_is_there():
    missing = []
    for module in MODULES:
        for source, name in own_imports(module, at_import=False):
            is_there = f"{source}.{name}" in MODULES or source in MODULES and hasattr(import_module(source), name)
            missing += [] if is_there else [f"{module} imports {name} from {source}"]
    assert not missing


def test_no_module_imports_itself_by_way_of_others():
    imports = {}
    for module in MODULES:
        sources = {f"{a}.{b}" if f"{a}.{b}" in MODULES else a for a, b in own_imports(module, at_import=True)}
        imports[module] = sources - {module}
    # What imports nothing more can be taken away; what is left goes in circles.
    while free := [module for module, sources in imports.items() if not sources & imports.keys()]:
        for module in free:
            del imports[module]
    assert not imports, sorted(imports)
