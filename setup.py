"""Installs the keysweep of PyPI. The pre-commit framework installs the folder in which it finds a hook of `language: python`; this makes
that the ready-made program instead of a compilation."""

import pathlib
import re

from setuptools import setup

here = pathlib.Path(__file__).parent
version = re.search(r'^version = "(.+)"', (here / "Cargo.toml").read_text(), re.M)[1]

setup(
    name="keysweep-hook",
    version=version,
    install_requires=[f"keysweep=={version}"],
    packages=[],
    py_modules=[],
)
