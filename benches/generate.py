#!/usr/bin/env python3
"""Writes a repository as a `git fast-import` stream to standard output.

    git init --bare REPO
    benches/generate.py --commits 100000 | git -C REPO fast-import --quiet

Without --files and --chain: a history of source text: some hundred files in folders, edits
of a few lines, side branches that are merged or left, tags, renames, deletions, and synthetic
keys that come in and mostly go again, each in a commit of its own kind of place (the main
line, merged branches, branches that never were).

--files N    one commit with N small files in nested folders
--chain      one file of text with --commits versions, each a small edit of the one before;
             import it with `git fast-import --depth=4095`, or repack with
             `git -c pack.depth=4095 repack -adf --depth=4095 --window=10`
--keys FILE  writes the planted keys there, one a line
--key        prints one synthetic key and nothing else

The same options give the same bytes: a fixed seed, fixed dates, nothing from outside. The
keys are random, right in form and checksum, and of no account; none of them is in this file.
How many commits and keys there are is said on standard error.
"""

import argparse
import random
import sys
import zlib

START = 1_200_000_000
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Only `Random.random` and `getrandbits` are the same in every version of Python.
RANDOM = random.Random(20_240_229)


def below(limit):
    return int(RANDOM.random() * limit)


def pick(things):
    return things[int(RANDOM.random() * len(things))]


def text(alphabet, length):
    return "".join(pick(alphabet) for _ in range(length))


# ── Keys ─────────────────────────────────────────────────────────────────────


def in_base62(value, width):
    digits = ""
    while value:
        value, digit = divmod(value, 62)
        digits = BASE62[digit] + digits
    return digits.rjust(width, BASE62[0])


def with_crc(prefix, length):
    """A prefix, random characters, and their CRC-32 as six characters of base 62."""
    body = text(BASE62, length)
    return prefix + body + in_base62(zlib.crc32(body.encode()), 6)


KEY_KINDS = (
    ("github_token", lambda: with_crc("gh" + "p_", 30)),
    ("npm_token", lambda: with_crc("np" + "m_", 30)),
    ("deploy_token", lambda: with_crc("gh" + "o_", 30)),
)


class Keys:
    """The keys that were made, each different."""

    def __init__(self):
        self.made = []

    def line(self):
        name, make = KEY_KINDS[len(self.made) % len(KEY_KINDS)]
        self.made.append(make())
        return f'    {name} = "{self.made[-1]}"\n'.encode()


# ── Source text ──────────────────────────────────────────────────────────────

WORDS = (
    "account action address batch block buffer bytes cache call change channel check child chunk "
    "client close code column config connection content context copy count create cursor data date "
    "default delta depth digest entry error event expand field file filter first flag folder format "
    "frame group handle hash header height index input insert item join keep kernel label last layer "
    "length level limit line link list load local lock match merge message method mode module move "
    "name network next node number object offset open option order output owner page parent parse "
    "part path pattern point pool port prefix print process query queue range read record region "
    "remove render report request reset resource result return root route row rule sample scan schema "
    "scope search section select sequence server session shape shift signal size sort source split "
    "stack start state status store stream string suffix switch symbol table target task test text "
    "thread time token trace tree type update user value vector version view weight width window word "
    "work wrap write zone"
).split()


def name():
    return f"{pick(WORDS)}_{pick(WORDS)}"


LINES = (
    lambda: f"    let {name()} = {name()}({name()}, {below(4096)});\n",
    lambda: f"    if {name()} > {below(1000)} {{ return {name()}; }}\n",
    lambda: f"        self.{pick(WORDS)}.{pick(WORDS)}(&{name()})?;\n",
    lambda: f"    // {pick(WORDS).capitalize()} the {pick(WORDS)} of every {pick(WORDS)}, then the {name()}.\n",
    lambda: f'    log.debug("{pick(WORDS)} {pick(WORDS)}: {{}}", {name()});\n',
    lambda: f"    for {pick(WORDS)} in {name()}.iter() {{\n",
    lambda: f"fn {name()}({pick(WORDS)}: &{pick(WORDS).capitalize()}) -> usize {{\n",
    lambda: f'    {name()}_token = os.environ["{name().upper()}"]\n',
    lambda: f"    assert_eq!({name()}, 0x{RANDOM.getrandbits(32):08x});\n",
    lambda: f'    "{pick(WORDS)}": "{RANDOM.getrandbits(160):040x}",\n',
    lambda: "    }\n",
    lambda: "}\n",
    lambda: "\n",
)
WEIGHTS = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 11, 12, 12)

# Lines are picked from a store: making each anew would take most of the time.
STORE = []


def fill_store():
    for _ in range(40_000):
        STORE.append(LINES[pick(WEIGHTS)]().encode())


def some_lines(count):
    return [pick(STORE) for _ in range(count)]


def edited(lines):
    """A copy of the lines with one to three small changes."""
    lines = lines.copy()
    for _ in range(1 + below(3)):
        at, kind = below(len(lines) + 1), below(4)
        count = 1 + below(3)
        if kind == 0:
            lines[at:at] = some_lines(count)
        elif kind == 1 and len(lines) > 40:
            del lines[at : at + count]
        else:
            lines[at : at + count] = some_lines(count)
    return lines


SUFFIXES = ("rs", "rs", "c", "h", "py", "go", "js", "ts", "md", "toml", "yaml", "sh")


# ── The stream ───────────────────────────────────────────────────────────────

AUTHORS = [f"{first} Example <{first.lower()}@example.com>" for first in "Ada Bo Cy Di Eve Flo Gil Hal".split()]


class Stream:
    def __init__(self, out):
        self.out = out
        self.commits = 0
        self.date = START

    def commit(self, ref, subject, changes, parents=()):
        """Writes one commit and gives its mark."""
        self.commits += 1
        self.date += 60 + below(7200)
        who = pick(AUTHORS)
        message = f"{subject}\n".encode()
        head = (
            f"commit {ref}\nmark :{self.commits}\n"
            f"author {who} {self.date - below(86400)} +0000\ncommitter {who} {self.date} +0000\n"
            f"data {len(message)}\n"
        )
        parts = [head.encode(), message]
        for word, parent in zip(("from", "merge"), parents):
            parts.append(f"{word} :{parent}\n".encode())
        parts.extend(changes)
        parts.append(b"\n")
        self.out.write(b"".join(parts))
        return self.commits

    def tag(self, label, mark):
        if below(2):
            self.out.write(f"reset refs/tags/{label}\nfrom :{mark}\n\n".encode())
            return
        message = f"Release {label}\n".encode()
        self.out.write(
            f"tag {label}\nfrom :{mark}\ntagger {AUTHORS[0]} {self.date} +0000\ndata {len(message)}\n".encode()
            + message
        )

    def end(self):
        self.out.write(b"done\n")
        self.out.flush()


def modify(path, lines):
    content = b"".join(lines)
    return f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"


class Branch:
    def __init__(self, ref, files, tip):
        self.ref = ref
        self.files = files  # path → lines, which are never changed in place
        self.paths = list(files)
        self.tip = tip
        self.touched = set()  # only asked, never walked: a set's order is no fixed one
        self.left = 0
        self.merged = True


def subject():
    return f"{pick(WORDS).capitalize()} {pick(WORDS)}: {pick(WORDS)} the {pick(WORDS)}"


def new_path(files, folders):
    while True:
        path = f"{pick(folders)}/{name()}.{pick(SUFFIXES)}"
        if path not in files:
            return path


def history(stream, commits, keys, files=300):
    folders = ["src", "lib", "docs", "tests"]
    while len(folders) < 40:
        folders.append(f"{pick(folders)}/{pick(WORDS)}")
    tree = {}
    for _ in range(files):
        # Most files are short, a few are long.
        tree[new_path(tree, folders)] = some_lines(20 + int(400 * RANDOM.random() ** 3))
    main = Branch("refs/heads/main", tree, 0)
    main.tip = stream.commit(main.ref, "Start", [modify(path, lines) for path, lines in tree.items()])
    side = []
    number = release = 0
    due = []  # keys on the main line that go: (when, line)
    every = max(5, min(400, commits // 10))

    while stream.commits < commits:
        if len(side) < 4 and below(25) == 0:
            number += 1
            branch = Branch(f"refs/heads/topic/{number}", main.files.copy(), main.tip)
            branch.left, branch.merged = 1 + below(12), below(40) != 0
            side.append(branch)
        branch = pick(side) if side and below(3) == 0 else main

        if branch is not main and branch.left == 0:
            side.remove(branch)
            if branch.merged:
                # What both sides changed stays as it is on the main line.
                changes = []
                for path in branch.paths:
                    if path in branch.touched and path not in main.touched and path in main.files:
                        main.files[path] = branch.files[path]
                        changes.append(modify(path, main.files[path]))
                subject_line = f"Merge branch '{branch.ref[11:]}'"
                main.tip = stream.commit(main.ref, subject_line, changes, (main.tip, branch.tip))
                stream.out.write(f"reset {branch.ref}\nfrom 0000000000000000000000000000000000000000\n\n".encode())
            if not side:
                main.touched.clear()
            continue

        changes = []
        kind = below(300) if branch is main else 99
        if branch is main and due and due[0][0] <= stream.commits:
            line = due.pop(0)[1]
            for path in branch.paths:
                if line in branch.files[path]:
                    lines = [other for other in branch.files[path] if other != line]
                    branch.files[path] = lines
                    branch.touched.add(path)
                    changes.append(modify(path, lines))
        elif kind == 0:
            old, path = pick(branch.paths), new_path(branch.files, folders)
            branch.files[path] = branch.files.pop(old)
            branch.paths[branch.paths.index(old)] = path
            branch.touched.update((old, path))
            changes.append(f"R {old} {path}\n".encode())
        elif kind == 1 and len(branch.paths) > files * 9 // 10:
            path = branch.paths.pop(below(len(branch.paths)))
            del branch.files[path]
            branch.touched.add(path)
            changes.append(f"D {path}\n".encode())
        elif kind == 2:
            path = new_path(branch.files, folders)
            branch.files[path] = some_lines(20 + below(100))
            branch.paths.append(path)
            branch.touched.add(path)
            changes.append(modify(path, branch.files[path]))
        else:
            plant = below(every) == 0
            chosen = []
            for _ in range(1 + (below(4) == 0)):
                path = pick(branch.paths)
                if path in chosen:
                    continue
                chosen.append(path)
                lines = edited(branch.files[path])
                if plant:
                    plant, line = False, keys.line()
                    lines.insert(below(len(lines) + 1), line)
                    if branch is main and below(10):
                        due.append((stream.commits + 1 + below(2000), line))
                        due.sort()
                branch.files[path] = lines
                branch.touched.add(path)
                changes.append(modify(path, lines))
        branch.tip = stream.commit(branch.ref, subject(), changes, (branch.tip,))
        branch.left = max(0, branch.left - 1)
        if branch is main and stream.commits // 1000 > release:
            release = stream.commits // 1000
            stream.tag(f"v{release // 10}.{release % 10}", main.tip)


def many_files(stream, count, keys):
    changes = []
    for number in range(count):
        top, rest = divmod(number, 5000)
        middle, at = divmod(rest, 100)
        path = f"part{top:03}/{WORDS[middle]}/{WORDS[at]}_{number}.{SUFFIXES[number % len(SUFFIXES)]}"
        lines = some_lines(4 + below(40))
        if below(20_000) == 0:
            lines.append(keys.line())
        changes.append(modify(path, lines))
    stream.commit("refs/heads/main", "Start", changes)


def chain(stream, versions, keys, length=16_000):
    lines = some_lines(length)
    tip = stream.commit("refs/heads/main", "Start", [modify("all.txt", lines)])
    key = None
    while stream.commits < versions:
        lines = edited(lines)
        if key in lines:
            lines.remove(key)
        elif below(100) == 0:
            key = keys.line()
            lines.insert(below(len(lines)), key)
        tip = stream.commit("refs/heads/main", subject(), [modify("all.txt", lines)], (tip,))


def main():
    parser = argparse.ArgumentParser(description="Writes a repository as a git fast-import stream.")
    parser.add_argument("--commits", type=int, metavar="N", help="how many (100000; with --chain 4000)")
    parser.add_argument("--files", type=int, metavar="N", help="one commit with so many files")
    parser.add_argument("--chain", action="store_true", help="one file with a version for each commit")
    parser.add_argument("--keys", metavar="FILE", help="where to write the planted keys")
    parser.add_argument("--key", action="store_true", help="print one key, no repository")
    options = parser.parse_args()
    keys = Keys()
    if options.key:
        keys.line()
        print(keys.made[0])
        return
    fill_store()
    stream = Stream(sys.stdout.buffer)
    stream.out.write(b"feature done\n")
    if options.files:
        many_files(stream, options.files, keys)
    elif options.chain:
        chain(stream, options.commits or 4000, keys)
    else:
        history(stream, options.commits or 100_000, keys)
    stream.end()
    if options.keys:
        with open(options.keys, "w", encoding="ascii") as out:
            out.writelines(f"{key}\n" for key in keys.made)
    print(f"commits {stream.commits}, keys {len(keys.made)}", file=sys.stderr)


main()
