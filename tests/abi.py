#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The binary interface of libbnn.so and libbnn_check.so against its record, abi.txt: a sentence for each thing that moved. Call: abi.py RENEW LIBRARY... INCLUDE...

Each function, variable, struct and enum of the public headers is read by libclang, and the libraries have to export just the functions and variables. INCLUDE are the
folders with the headers; RENEW is a command that writes the record anew: this one with `--write` for RENEW. The record is that of 64-bit Linux; it is the same for
float and double, because no struct holds a bnn_real by value. Without libclang for Python a line that begins with 'skipped' is printed and the exit status is 77.
"""
import re
import subprocess
import sys
from pathlib import Path

try:
    from clang.cindex import CursorKind, Index
    index = Index.create()
except Exception as reason:  # the module is there without the library: its own kind of error
    print('skipped: no libclang for Python (%s)' % reason)
    sys.exit(77)

RECORD = Path(__file__).with_name('abi.txt')


def spell(type_):
    """A type as the headers write it; one without a name as 'enum' or 'struct'."""
    return re.sub(r'\b_Bool\b', 'bool', re.sub(r'\b(enum|struct) \([^)]*\)', r'\1', type_.spelling))


def layout(name, struct):
    struct = struct.get_canonical()
    members = {'%s.%s' % (name, f.spelling): '%s at %d' % (spell(f.type), f.get_field_offsetof() // 8) for f in struct.get_fields()}
    return {name: 'struct of %d bytes' % struct.get_size(), **members}


def describe(cursor):
    """What the record says of a declaration: {name: what it is}."""
    name, kind = cursor.spelling, cursor.kind
    if kind == CursorKind.FUNCTION_DECL and cursor.storage_class.name != 'STATIC':
        return {name: 'function ' + spell(cursor.type)}
    if kind == CursorKind.VAR_DECL and cursor.storage_class.name == 'EXTERN':
        return {name: 'variable ' + spell(cursor.type)}
    if kind == CursorKind.ENUM_DECL:
        return {value.spelling: 'constant %d' % value.enum_value for value in cursor.get_children()}
    if kind == CursorKind.STRUCT_DECL and name.startswith('bnn_') and cursor.is_definition():
        return layout(name, cursor.type)
    if kind == CursorKind.TYPEDEF_DECL and name != 'bnn_real':
        what = cursor.underlying_typedef_type.get_canonical()
        if what.kind.name == 'RECORD':
            return layout(name, what) if what.get_size() > 0 else {}
        return {name: 'type ' + spell(cursor.underlying_typedef_type)} if what.kind.name != 'ENUM' else {}
    return {}


def declared(folders):
    headers = sorted(path.name for folder in folders for path in Path(folder).glob('bnn/*.h'))
    text = ''.join('#include <bnn/%s>\n' % name for name in headers) + 'enum { ABI = BNN_ABI };\n'
    unit = index.parse('abi.c', ['-std=gnu17'] + ['-I' + folder for folder in folders], [('abi.c', text)])
    for problem in unit.diagnostics:
        if problem.severity >= problem.Error:
            sys.exit('abi.py: the headers cannot be read: %s' % problem)
    found = {}
    for cursor in unit.cursor.walk_preorder():
        if cursor.location.file and re.search(r'/bnn/\w+\.h$|^abi\.c$', cursor.location.file.name):
            found.update(describe(cursor))
    return found


def exported(library):
    lines = subprocess.run(['nm', '-D', '--defined-only', library], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines if line.split()[-1].startswith('bnn_')}


def compare(record, now, symbols):
    """A sentence for each difference."""
    linked = {name for name, what in now.items() if re.match('function|variable', what)}
    yield from ('%s is exported, but no public header declares it' % name for name in sorted(symbols - linked))
    yield from ('%s is declared, but not exported' % name for name in sorted(linked - symbols))
    for name in record:
        if name not in now:
            yield "%s is gone; it was '%s'" % (name, record[name])
        elif now[name] != record[name]:
            yield "%s was '%s', now it is '%s'" % (name, record[name], now[name])
    yield from ("%s is new: '%s'" % (name, now[name]) for name in now if name not in record)


def main(renew, *paths):
    folders = [path for path in paths if Path(path).is_dir()]
    now = declared(folders)
    if renew == '--write':
        RECORD.write_text(''.join('%s: %s\n' % item for item in now.items()), encoding='utf-8')
    record = dict(line.split(': ', 1) for line in RECORD.read_text(encoding='utf-8').splitlines())
    moved = list(compare(record, now, set().union(*(exported(path) for path in paths if path not in folders))))
    for sentence in moved:
        print(sentence)
    if moved:
        print('The binary interface is not what tests/abi.txt says. docs/abi.md says what may change under the same number; where it does, renew the record: %s' % renew)
    return 1 if moved else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
