"""Fuzzes one target with atheris, guided by coverage: ``python -m tests.fuzz.one TARGET ...``.

What follows the name are libFuzzer's options and folders; :mod:`tests.fuzz` gives them.
"""

import sys

import atheris

if __name__ == "__main__":
    with atheris.instrument_imports(include=["sstpca"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS

    function, _ = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], function)
    atheris.Fuzz()
