#!/usr/bin/env python3
"""Runs gitleaks and keysweep over one tree with one `.gitleaks.toml`, and says why their findings differ.

    benches/gitleaks-compare.py --gitleaks PROGRAM --keysweep PROGRAM CONFIG TREE [-- ARGUMENTS OF keysweep scan]

A finding is a rule, a file and a line. Each one that only gitleaks or only keysweep has is counted under its cause, which is
taken from keysweep's own words: what the import could not carry over, and why a match was dropped. What has no cause is listed
as such, and makes the exit code 1. `.gitleaksignore` files do not count, nor does what the tree says of keysweep.
With `--list` every difference is printed, its secret shortened.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gitleaks", required=True)
    parser.add_argument("--keysweep", required=True)
    parser.add_argument("--list", action="store_true", help="print every difference")
    parser.add_argument("config", type=pathlib.Path)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    config = options.config.resolve()
    for name in ("gitleaks", "keysweep"):
        program = shutil.which(getattr(options, name)) or parser.error(f"--{name}: no such program")
        setattr(options, name, pathlib.Path(program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        theirs = of_gitleaks(options.gitleaks, config, options.tree, folder)
        ours, dropped = of_keysweep(options.keysweep, config, options.tree, folder, options.arguments)
        notes = of_import(options.keysweep, config, folder)
        own = tomllib.loads(config.read_text(encoding="utf-8")).get("rules", [])
        own = {slug(rule["id"]) for rule in own if rule.get("regex")}
        comparison = Comparison(options.tree, theirs, ours, dropped, notes, own)
        comparison.alone = alone(comparison, options.gitleaks, config, folder / "alone")
    return report(comparison, options.list)


def of_gitleaks(program, config, tree, folder):
    """What gitleaks finds."""
    out, none = folder / "gitleaks.json", folder / "none"
    none.touch()
    subprocess.run(
        [program, "dir", ".", "-c", config, "-i", none, "-f", "json", "-r", out, "--exit-code", "0", "--no-banner", "-l", "error"],
        cwd=tree,
        check=True,
    )
    return [
        Match(slug(x["RuleID"]), x["File"], x["StartLine"], x["EndLine"], x["Secret"], x["Match"], x.get("Tags") or [])
        for x in json.loads(out.read_text())
    ]


def of_keysweep(program, config, tree, folder, arguments):
    """What keysweep finds, and what it dropped, each with its reason."""
    out = folder / "keysweep.jsonl"
    subprocess.run(
        [program, "scan", ".", "--config", config, "--no-repo-config", "--no-ignore", "--show-secrets", "--show-suppressed"]
        + ["--min-confidence", "low", "--format", "jsonl", "--output", out, "--exit-zero", "-q", *arguments],
        cwd=tree,
        check=True,
    )
    found, dropped = [], []
    for line in out.read_text().splitlines():
        record = json.loads(line)
        if record["kind"] != "finding":
            continue
        rule = re.sub(r"^own-", "", record["rule"])
        for place in record["places"]:
            end = place.get("end_line", place["line"])
            match = Match(rule, place["path"], place["line"], end, record["secret"], record["secret"], [])
            reason = place.get("suppressed") or place.get("dropped") or record.get("suppressed")
            if reason:
                match.reason = reason if isinstance(reason, str) else json.dumps(reason)
                dropped.append(match)
            else:
                found.append(match)
    return found, dropped


def of_import(program, config, folder):
    """For each rule what the import says of it: sort of note, and text."""
    said = subprocess.run(
        [program, "import", "gitleaks", config, "--output", folder / "keysweep.toml"], capture_output=True, text=True, check=True
    )
    notes = collections.defaultdict(list)
    for line in said.stderr.splitlines():
        note = re.match(r".*?:\d+: (not carried over|changed|note): rule `([^`]+)`:? (.*)", line)
        if note:
            notes[slug(note[2])].append((note[1], note[3]))
    return notes


def alone(comparison, program, config, folder):
    """What gitleaks finds of what only keysweep has, where each line is a file of its own."""
    wanted = [match for match, cause in comparison.only_ours() if cause is None]
    for number, match in enumerate(wanted):
        lines = (comparison.tree / match.path).read_bytes().split(b"\n")
        file = folder / str(number) / match.path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"\n".join(lines[match.line - 1 : match.end]) + b"\n")
    if not wanted:
        return set()
    found = {(match.path.split("/", 1)[0], match.rule) for match in of_gitleaks(program, config, folder, folder.parent)}
    return {match.key for number, match in enumerate(wanted) if (str(number), match.rule) in found}


class Match:
    """A match of either program."""

    def __init__(self, rule, path, line, end, secret, text, tags):
        self.rule, self.path, self.line, self.end = rule, path, line, end
        self.secret, self.text, self.tags, self.reason = secret, text, tags, None

    @property
    def key(self):
        return self.rule, self.path, self.line

    def meets(self, other):
        """Whether they share a line."""
        return self.path == other.path and self.line <= other.end and other.line <= self.end

    def shares(self, other):
        """Whether they share text, too."""
        one, two = self.secret.strip(), other.secret.strip()
        return self.meets(other) and (one in other.text or two in self.text or two in one or one in two)

    def __str__(self):
        secret = self.secret if len(self.secret) <= 60 else f"{self.secret[:40]}… ({len(self.secret)} characters)"
        return f"{self.rule}  {self.path}:{self.line}  {secret!r}"


class Comparison:
    """Both lists, and the cause of each difference."""

    def __init__(self, tree, theirs, ours, dropped, notes, own_rules):
        self.tree = tree
        self.alone = set()
        self.theirs, self.ours, self.dropped, self.notes = theirs, ours, dropped, notes
        self.own_rules = own_rules
        self.their_keys = {match.key for match in theirs}
        self.our_keys = {match.key for match in ours}
        self.same = len(self.their_keys & self.our_keys)

    def only_theirs(self):
        seen = set(self.our_keys)
        for match in self.theirs:
            if match.key not in seen:
                seen.add(match.key)
                yield match, self.missing(match)

    def only_ours(self):
        seen = set(self.their_keys)
        for match in self.ours:
            if match.key not in seen:
                seen.add(match.key)
                yield match, self.added(match)

    def missing(self, match):
        """Why keysweep does not have it."""
        near = [other for other in self.ours if match.meets(other)]
        if any(other.rule == match.rule for other in near):
            return "placed at the line of the secret, not at the one on which the match begins"
        own = [other for other in self.dropped if other.rule == match.rule and match.meets(other)]
        for other in own:
            if other.reason.startswith("covered by "):
                return "two rules match one text: one finding, of the one that wins"
        for other in own:
            if match.shares(other):
                return f"dropped: {cause_of(other.reason)}"
        for sort, text in self.notes.get(match.rule, []):
            if sort == "not carried over":
                return f"not carried over: {text}"
        if b"\0" in (self.tree / match.path).read_bytes()[:8192]:
            return "in a binary file, where only prefixes that speak for themselves count"
        if match.text.startswith("file detected:"):
            return "a file by its name alone, which holds no secret that a finding could be of"
        if match.secret == "":
            return "its secret is empty"
        if any(tag.startswith("decoded:") for tag in match.tags):
            return "in decoded text"
        names = named(self.notes.get(match.rule, []))
        shared = [other for other in near if match.shares(other)]
        if any(other.rule in names for other in shared) or (shared and not self.is_own(match.rule)):
            return "one of gitleaks' default rules: found by keysweep's own rule for it"
        if not self.is_own(match.rule):
            return "one of gitleaks' default rules: keysweep's own does not count it"
        bound = self.bound(match.rule)
        if bound and len(match.text) > bound:
            return f"longer than the bound that its repetition gets ({bound})"
        return None

    def added(self, match):
        """Why gitleaks does not have it."""
        own = [other for other in self.theirs if other.rule == match.rule and match.meets(other)]
        if own:
            return "placed at the line of the secret, not at the one on which the match begins"
        if match.key in self.alone:
            return "gitleaks finds it, too, where the line is a file of its own: it loses matches at the edges of its pieces of a long file"
        if len((self.tree / match.path).read_bytes().split(b"\n")[match.line - 1]) > 4096:
            return "on a line of more than 4096 bytes, of which allow-lists for lines see a part"
        if any("in place of a default rule" in text for _, text in self.notes.get(match.rule, [])):
            return "a default rule written anew: gitleaks keeps that rule's long list of stopwords for it"
        if not self.is_own(match.rule):
            same = [other for other in self.theirs if match.shares(other)]
            return "by keysweep's built-in rules" + (", found there by another rule" if same else "")
        return None

    def is_own(self, rule):
        """Whether the configuration has a regex of its own for the rule."""
        return rule in self.own_rules

    def bound(self, rule):
        for _, text in self.notes.get(rule, []):
            bound = re.search(r"now have one: (\d+) characters", text)
            if bound:
                return int(bound[1])
        return None


def named(notes):
    """Built-in rules that the notes of a rule name."""
    return {name for _, text in notes for name in re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", text)}


def cause_of(reason):
    """A reason without what differs from place to place."""
    reason = re.sub(r"\S+\.toml:\d+\S*", "an entry", reason)
    return re.sub(r"\d+\.\d+", "…", reason)


def slug(rule):
    """The id in keysweep's form."""
    return re.sub(r"[^a-z0-9]+", "-", rule.lower()).strip("-") or "imported"


def report(comparison, every):
    c = comparison
    print(f"gitleaks {len(c.their_keys)}, keysweep {len(c.our_keys)}, the same {c.same}")
    unexplained = 0
    for title, differences in [("only gitleaks", c.only_theirs()), ("only keysweep", c.only_ours())]:
        causes = collections.defaultdict(list)
        for match, cause in differences:
            unexplained += cause is None
            causes[cause or "NOT EXPLAINED"].append(match)
        print(f"{title}: {sum(map(len, causes.values()))}")
        for cause, matches in sorted(causes.items(), key=lambda entry: -len(entry[1])):
            print(f"  {len(matches):4}  {cause}")
            if every or cause == "NOT EXPLAINED":
                for match in matches:
                    print(f"          {match}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
