#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded faults in the built-in code, one at a time, each of which some test must find. Call: mutation.py [--fit | --write] [WORD ...]

Takes the faults of faults.txt (those whose head holds one of the words), each in a copy of the tree: builds what it touches and runs test programs, those that the fault
names first, until one fails. Exit status 1 if a fault survives, no longer fits the source, or does not compile. --write puts the verdicts into the table of
docs/mutation.md; --fit asks only whether every fault still fits its source, and is caught in that table.
"""
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs/mutation.md'
FIRST, LAST = '<!-- table -->\n', '<!-- end of the table -->\n'
# Every suite that needs no arguments: those that a fault does not name are run where those that it names find nothing.
SUITES = ['conform'] + sorted({path.stem[5:] for path in ROOT.glob('tests/*/test_*.c')} - {'mutants', 'plugins'})


class Fault:
    def __init__(self, text):
        lines = text.splitlines()
        self.file, self.wrong = lines[0][2:].split(': ', 1)
        self.old, self.new = ('\n'.join(line[2:] for line in lines if line.startswith(mark)) for mark in ('- ', '+ '))
        named = [name for line in lines if line.startswith('? ') for name in line[2:].split()]
        self.tests = named + [name for name in SUITES if name not in named]

    def place(self, source):
        """Where it stands: (from, to); lines may be indented otherwise than the fault's. None: not exactly once."""
        pattern = r'\n\s*'.join(re.escape(line) for line in self.old.split('\n'))
        found = list(re.finditer(pattern, source))
        return found[0].span() if len(found) == 1 else None


class Copy:
    """A tree of its own to break, with a build of it."""

    def __init__(self, folder):
        self.root, self.build = folder, folder / 'build'
        names = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in names.split('\0'):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        subprocess.run(['meson', 'setup', self.build, folder], check=True, capture_output=True)
        if self.make().returncode != 0:
            sys.exit('mutation.py: the tree does not compile as it is')

    def make(self):
        return subprocess.run(['ninja', '-C', self.build], capture_output=True, text=True)

    def run(self, *names):
        """The first failure of these suites, (suite, test, sentence), or None."""
        environment = dict(os.environ, OPENBLAS_CORETYPE=os.environ.get('OPENBLAS_CORETYPE', 'Haswell'), CK_TIMEOUT_MULTIPLIER='3')
        command = ['meson', 'test', '-C', self.build, '--no-rebuild', '--timeout-multiplier', '3', *names]
        log = self.build / 'meson-logs/testlog.json'
        log.unlink(missing_ok=True)  # what is read below is of this run
        subprocess.run(command, env=environment, capture_output=True)
        for done in map(json.loads, log.read_text(encoding='utf-8', errors='replace').splitlines()):
            if done['result'] in ('OK', 'SKIP'):
                continue
            name, failure = done['name'].split()[-1], re.search(r':[FE]:[^:]*:([^:]*):\d+: (.*)', done.get('stdout', ''))
            return (name,) + ((failure[1], failure[2]) if failure else ('', 'does not end' if done['result'] == 'TIMEOUT' else 'exit status %s' % done['returncode']))
        return None

    def judge(self, fault):
        """(verdict, suite, test, sentence); verdict one of caught, SURVIVES, DOES NOT COMPILE."""
        file = self.root / fault.file
        source = file.read_text(encoding='utf-8')
        place = fault.place(source)
        try:
            file.write_text(source[:place[0]] + fault.new + source[place[1]:], encoding='utf-8')
            made = self.make()
            if made.returncode != 0:
                return 'DOES NOT COMPILE', '', '', next((line for line in made.stdout.splitlines() if 'error' in line), '')
            for name in fault.tests:
                failure = self.run(name)
                if failure:
                    return ('caught',) + failure
            return 'SURVIVES', '', '', 'no test fails'
        finally:
            file.write_text(source, encoding='utf-8')


def read_faults(words):
    text = re.sub(r'^#.*\n', '', Path(__file__).with_name('faults.txt').read_text(encoding='utf-8'), flags=re.M)
    faults = [Fault(part) for part in re.split(r'\n(?=@ )', '\n' + text) if part.startswith('@ ')]
    return [fault for fault in faults if not words or any(word in fault.file + ': ' + fault.wrong for word in words)]


def cell(text, most):
    text = text.replace('|', '\\|').replace('<', '&lt;')
    return text if len(text) <= most else text[:most - 3] + '...'


def key(line):
    return tuple(line.split(' | ')[:2])


def row(fault, verdict, suite, test, sentence):
    by = '`%s`: %s' % (suite, test or 'all of it') if suite else '**%s**' % verdict
    return '| `%s` | %s | %s | %s |\n' % (fault.file, cell(fault.wrong, 200), by, cell(sentence, 160))


def write_page(verdicts):
    """verdicts: of some faults; the others keep the rows that they have. What is no fault any more goes."""
    before, rest = PAGE.read_text(encoding='utf-8').split(FIRST)
    table, after = rest.split(LAST)
    known = {key(line): line for line in table.splitlines(keepends=True)}
    known.update((key(line), line) for line in (row(fault, *verdict) for fault, verdict in verdicts))
    rows = [known.get(key(asked), asked) for asked in (row(fault, 'not run', '', '', '') for fault in read_faults([]))]
    PAGE.write_text(before + FIRST + '\n| file | fault | caught by | sentence |\n|---|---|---|---|\n' + ''.join(rows) + '\n' + LAST + after, encoding='utf-8')


def fit(faults):
    stale = [fault for fault in faults if not (ROOT / fault.file).is_file() or not fault.place((ROOT / fault.file).read_text(encoding='utf-8'))]
    for fault in stale:
        print("tests/faults.txt: '%s: %s': what it replaces does not stand in the file exactly once; write the fault for the file as it is" % (fault.file, fault.wrong))
    unknown = sorted({name for fault in faults for name in fault.tests} - set(SUITES))
    for name in unknown:
        print("tests/faults.txt: there is no suite '%s'" % name)
    return 1 if stale or unknown or not faults else 0


def in_table(faults):
    caught = {key(line) for line in PAGE.read_text(encoding='utf-8').splitlines(keepends=True) if '| **' not in line}
    missed = [fault for fault in faults if key(row(fault, '', '', '', '')) not in caught]
    for fault in missed:
        print("docs/mutation.md: '%s: %s' is not caught in its table: run tests/mutation.py --write '%s: %s'" % ((fault.file, fault.wrong) * 2))
    return 1 if missed else 0


def main(arguments):
    write = '--write' in arguments
    faults = read_faults([word for word in arguments if not word.startswith('--')])
    stale = fit(faults)
    if stale or '--fit' in arguments:
        return stale or in_table(faults)
    with tempfile.TemporaryDirectory() as folder:
        copies, jobs = queue.Queue(), os.cpu_count() or 1
        for k in range(jobs):
            copies.put(Copy(Path(folder) / str(k)))
        failure = copies.queue[0].run(*SUITES)
        if failure:
            sys.exit('mutation.py: the tree is broken as it is: ' + ': '.join(failure))

        def judge(fault):
            copy = copies.get()
            try:
                verdict = copy.judge(fault)
            finally:
                copies.put(copy)
            print('%s: %s: %s' % (fault.file, fault.wrong, ': '.join(part for part in verdict if part)), flush=True)
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            verdicts = list(pool.map(judge, faults))
    if write:
        write_page(zip(faults, verdicts))
    caught = sum(verdict[0] == 'caught' for verdict in verdicts)
    print('%d of %d faults are caught' % (caught, len(faults)))
    return 0 if caught == len(faults) and faults else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
