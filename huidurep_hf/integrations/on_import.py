"""Do something once another package is imported, and not before: importing it for everybody would take seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class OnImport(MetaPathFinder):
    """Calls a function once some module is there, and no import of the packages watched is under way.

    Args:
        modules: full names; one of them is enough.
        packages: names of the top-level packages that the function needs.
        action: called once.
    """

    def __init__(self, modules: Sequence[str], packages: Sequence[str], action: Callable[[], None]):
        self.modules, self.packages, self.action = modules, packages, action
        self._num_running = 0

    def install(self) -> None:
        """Call the function now if a module is there, else when one is imported."""
        if any(name in sys.modules for name in self.modules):
            self.action()
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Let the other finders find a module of the packages, and look at what is there after it has run."""
        if fullname.partition(".")[0] not in self.packages:
            return None
        for finder in sys.meta_path:
            spec = None if isinstance(finder, OnImport) else finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    self._wrap(spec.loader)
                return spec
        return None

    def _wrap(self, loader: object) -> None:
        execute = loader.exec_module

        def execute_and_look(module: ModuleType) -> None:
            # The loader is as it was before for whoever reloads the module.
            loader.exec_module = execute
            self._num_running += 1
            try:
                execute(module)
            finally:
                self._num_running -= 1
            # A module that is half imported would lack what the function needs.
            is_there = self._num_running == 0 and any(name in sys.modules for name in self.modules)
            if is_there and self in sys.meta_path:
                sys.meta_path.remove(self)
                self.action()

        loader.exec_module = execute_and_look
