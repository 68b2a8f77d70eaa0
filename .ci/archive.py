#!/usr/bin/env python3
"""Makes a release archive from a built program: .ci/archive.py PROGRAM TARGET FOLDER

Writes FOLDER/keysweep-TARGET.tar.gz (.zip for Windows): the program, its licences and pages, completion scripts and
manual pages. The same program gives the same bytes: names are sorted, owners and times are fixed.
"""

import gzip
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

TEXTS = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"]
SHELLS = {
    "bash": "keysweep.bash",
    "elvish": "keysweep.elv",
    "fish": "keysweep.fish",
    "powershell": "_keysweep.ps1",
    "zsh": "_keysweep",
}


def run(program, *arguments):
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE).stdout


def members(program, windows):
    """What is in the archive: path to (bytes, whether it is run)."""
    root = pathlib.Path(__file__).resolve().parent.parent
    found = {"keysweep.exe" if windows else "keysweep": (program.read_bytes(), True)}
    for name in TEXTS:
        found[name] = ((root / name).read_bytes(), False)
    for shell, name in SHELLS.items():
        found[f"completions/{name}"] = (run(program, "completions", shell), False)
    with tempfile.TemporaryDirectory() as folder:
        run(program, "man", "--all", folder)
        for page in pathlib.Path(folder).iterdir():
            found[f"man/{page.name}"] = (page.read_bytes(), False)
    return sorted(found.items())


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, target, folder = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], pathlib.Path(sys.argv[3])
    windows = "-windows-" in target
    # The first moment that a zip archive can hold, unless the release says another.
    when = max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800)
    folder.mkdir(parents=True, exist_ok=True)
    top = f"keysweep-{target}"
    path = folder / f"{top}{'.zip' if windows else '.tar.gz'}"
    if windows:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, (content, runs) in members(program, windows):
                info = zipfile.ZipInfo(f"{top}/{name}", time.gmtime(when)[:6])
                info.external_attr = (0o100755 if runs else 0o100644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
    else:
        with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, when) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for name, (content, runs) in members(program, windows):
                    info = tarfile.TarInfo(f"{top}/{name}")
                    info.size, info.mtime, info.mode = len(content), when, 0o755 if runs else 0o644
                    archive.addfile(info, io.BytesIO(content))
    print(path)


main()
