#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""comments.py HEADER: the header with the house's comments as Doxygen reads them; the INPUT_FILTER of docs/Doxyfile.in.

    the first comment of a file      documents the file
    a comment before a declaration   documents it; one that ends with a colon, each declaration from there to the next empty line
    a comment behind a declaration   documents all names that the line declares
    indented lines of a comment      are a formula and stay as they are

Every line keeps its number, so that a warning names the right one.
"""
import re
import sys

NAMES = re.compile(r'(\s*(?:(?:extern|const|struct|unsigned) )*\w+ )([^(){}]+,[^(){}]+);\s*')  # 'int a, *b;': type and names


def escape(text):
    """Words are words: neither commands nor Markdown nor HTML, and the dot of an abbreviation ends no brief description."""
    text = re.sub(r'([\\@#*])', r'\\\1', text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'))
    return re.sub(r'\b(al|eq|e\.g|i\.e)\. ', r'\1.\\ ', text)


def content(comment):
    """What stands between the marks of a comment, formulas set apart."""
    out, inside = [], False
    for i, line in enumerate(comment[2:-2].split('\n')):
        margin = re.match(r'\s*(\* ?)?', line)[0] if i else ''
        formula = re.match(r'\s*\*  +\S', line) is not None
        if formula != inside:
            out[-1] += ' @verbatim' if formula else ' @endverbatim'
        out.append(line.replace('*', ' ', 1) if formula else margin + escape(line[len(margin):]))
        inside = formula
    return '\n'.join(out) + (' @endverbatim ' if inside else '')


def behind(code, text):
    """A line of code with the comment behind it; that of an opening brace goes before."""
    text = re.sub(r'\s*\n\s*(\* ?)?', ' ', text)
    if code.rstrip().endswith('{'):
        return '/**' + text + '*/ ' + code
    names = NAMES.fullmatch(code)
    each = [names[1] + name + ';' for name in re.split(r', *(?![^\[]*\])', names[2])] if names else [code]
    return ' '.join(one + ' /**<' + text + '*/' for one in each)


def convert(text):
    out, lead, begins = [], '', True  # what all declarations share, until an empty line; whether the next line begins one that nothing documents yet
    for piece in re.findall(r'([^\n]*?/\*.*?\*/[^\n]*|[^\n]*)\n', text, re.S):
        code, mark, comment = piece.partition('/*')
        words = content(mark + comment.rstrip()) if mark else ''
        lines = '\n' * piece.count('\n')
        if not out:
            out.append('/**' + re.sub(r'\b\w+\.h: ', '', re.sub('.*', ' @file', words, count=1), count=1) + '*/')
        elif not piece:
            out.append('')
            lead, begins = '', True
        elif mark and not code.strip() and words.rstrip().endswith(':'):
            out.append(lines)
            lead = re.sub(r'\s*\n\s*(\* ?)?', ' ', words).rstrip()
        elif mark and not code.strip():
            out.append(code + '/**' + lead + words + '*/')
            begins = False
        else:
            if lead and begins and not mark:
                code = '/**' + lead[:-1] + '. */ ' + code
            out.append(behind(code, (lead if begins else '') + words) + lines if mark and not code.startswith('#include') else code)
            begins = re.search(r'[;}]\s*$|#define .*[^\\]$', code) is not None
    codes = ' '.join('%s = %s, /**< %s. */' % code for code in re.findall(r'X\((\w+), (-?\d+), "([^"]*)"\)', text))
    text = '\n'.join(out) + '\n'
    return re.sub(r'#define BNN_STATUS_ENUM.*\n.*\n.*', '\n' + codes + '\n', text)  # a macro spreads the list of codes: Doxygen would not see their texts


if __name__ == '__main__':
    sys.stdout.write(convert(open(sys.argv[1], encoding='utf-8').read()))
