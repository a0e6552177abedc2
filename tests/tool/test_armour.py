#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_armour.py HARM EVERY BNN FACADE FAILING PLUGIN [COMMAND...]: commands that are harmed on their way end with their whole answer, or with one sentence and nothing lost.

HARM is one of
  memory[:LIBRARY]  the n-th allocation fails: bnn's own, or the library's (libhdf5, libgsl, libjansson)
  calls[:ERROR]     the n-th call of the system about a file fails: input or output error, no space, quota, read only, no such file in turn, or always so (EIO)
  disk              files may hold n bytes
  writers           a neighbour writes the same file at the same time, on a file system without locks: EVERY pairs of fits
  kill              SIGKILL at a moment of a seeded generator; what the next call leaves is as if nothing had been
EVERY is the step of n: 1 for every n until a command is no longer harmed; of kill it is the number of kills in all. FAILING is failing.so, FACADE a program that calls what bnn.h declares.
"""
import errno
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

sys.dont_write_bytecode = True
from pictures import write_png

harm, _, of = sys.argv[1].partition(':')
every, bnn, facade, failing, plugin = int(sys.argv[2]), *map(os.path.abspath, sys.argv[3:7])
chosen = sys.argv[7:]
library = of or 'libbnn:bnn:facade'
errors = [getattr(errno, of)] if harm == 'calls' and of else [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT]
failed = runs = 0

small = ['-n', 'dense:3; tanh; dense', '-t', '1', '-S', '5']
two = ['-e', 'map:epochs=2', '-e', 'mc_dropout:epochs=2']
maps = 'conv2d:channels=2,kernel=3,padding=1; tanh; conv2d:kernel=1'
fit = ['fit', '-d', 't.h5', *small, '-f', '-o', 'out.h5', '-e']
# Name, words, and what the command writes.
commands = [
    ('fit', [*fit, 'mc_dropout:epochs=2'], 'out.h5'),
    ('fit_text', ['fit', '-d', 't.csv', *small, '-f', '-o', 'out.h5', '-e', 'map:epochs=2'], 'out.h5'),
    ('fit_keep', [*fit, 'bayes_by_backprop:epochs=2', '--keep', 'posterior,predictive'], 'out.h5'),
    ('fit_laplace', [*fit, 'laplace:engine=map{epochs=2},structure=kron'], 'out.h5'),
    ('fit_chains', [*fit, 'hmc:chains=2,warmup=2,samples=4,steps=1', '-p', 'hierarchical'], 'out.h5'),
    ('fit_ensemble', [*fit, 'ensemble:engine=map{epochs=2},members=2'], 'out.h5'),
    ('fit_grid', [*fit, 'grid_search:engine=mc_dropout{epochs=1},grid={p=0.1|0.2}'], 'out.h5'),
    ('fit_plugin', ['fit', '-d', 't.h5', '-n', 'dense:3; swish; dense', '-t', '1', '-S', '5', '--plugin', plugin, '-e', 'map:epochs=2', '-f', '-o', 'out.h5'], 'out.h5'),
    ('resume', ['fit', '-d', 't.h5', *small, '-e', 'map:epochs=4000', '--resume', '-o', 'out.h5'], 'out.h5'),
    ('predict', ['predict', 'run.h5', '-t', '1', '-S', '5', '--keep', 'predictive', '-f', '-o', 'out.h5'], 'out.h5'),
    ('predict_text', ['predict', 'run.h5', '-d', 'new.csv', '-t', '1', '-S', '5', '-f', '-o', 'out.csv'], 'out.csv'),
    ('evaluate', ['evaluate', '--json', 'run.h5', '-t', '1', '-S', '5'], None),
    ('compare', ['compare', '-d', 't.h5', *small, *two, '-k', '0', '-f', '-o', 'out.h5'], 'out.h5'),
    ('import', ['import', 'csv', 't.csv', '-f', '-o', 'out.h5'], 'out.h5'),
    ('split', ['split', 't.h5', '--kind', 'kfold', '--count', '3', '-f', '-o', 'out.h5'], 'out.h5'),
    ('info', ['info', '--json', 'run.h5'], None),
    ('report', ['report', 'compared.h5', '-f', '-o', 'out.html'], 'out.html'),
    ('calibrate', ['calibrate', 'classes.h5', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('ood', ['ood', 'run.h5', '--in', 't.csv', '--out', 'new.csv', '--score', 'distance', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('attack', ['attack', 'classes.h5', '--eps', '0.1', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('shift', ['shift', 't.h5', '--noise', '0.1', '-f', '-o', 'out.h5'], 'out.h5'),
    ('acquire', ['acquire', 'run.h5', '-d', 'new.csv', '-n', '2', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('bandit', ['bandit', 'c.h5', '--game', 'guesses', '-n', 'dense:3; tanh; dense', '--steps', '20', '--every', '10', '-t', '1'], None),
    ('diagnose', ['diagnose', 'chains.h5', '-t', '1'], None),
    ('new', ['new-layer', 'mine'], 'mine'),
    ('facade', ['t.h5', plugin], 'facade.h5'),
    ('import_uci', ['import', 'uci', 'uci', '-f', '-o', 'out.h5'], 'out.h5'),
    ('import_idx', ['import', 'idx', 'images.gz', 'labels.gz', '-f', '-o', 'out.h5'], 'out.h5'),
    ('import_maps', ['import', 'images', 'pictures', '--annotations', 'drawn', '--size', '5x5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('import_tensors', ['import-weights', 'w.safetensors', '-d', 't.h5', *small, '-f', '-o', 'out.h5'], 'out.h5'),
    ('import_arrays', ['import-weights', 'w.npz', '-d', 't.h5', *small, '-f', '-o', 'out.h5'], 'out.h5'),
    ('import_run', ['import-weights', 'run.h5', '-d', 't.h5', *small, '-e', 'mc_dropout', '-f', '-o', 'out.h5'], 'out.h5'),
    ('fit_maps', ['fit', '-d', 'maps.h5', '-n', maps, '-t', '1', '-S', '5', '-f', '-o', 'out.h5', '-e', 'mc_dropout:epochs=2,augment=flip'], 'out.h5'),
    ('predict_maps', ['predict', 'drawn.h5', '-t', '1', '-S', '5', '--probabilities', '-f', '-o', 'out.h5'], 'out.h5'),
    ('predict_part', ['predict', 'run.h5', '-t', '1', '-S', '5', '--part', '1/2', '--quantiles', '0.1', '-f', '-o', 'out.h5'], 'out.h5'),
    ('evaluate_maps', ['evaluate', '--json', 'drawn.h5', '-t', '1', '-S', '5', '--referral', '0.2'], None),
    ('evaluate_plot', ['evaluate', 'classes.h5', '-t', '1', '-S', '5', '--also', 'shifted.h5', '--referral', '0.2', '--plot', 'out.html', '-f'], 'out.html'),
    ('evaluate_json', ['evaluate', '--json', 'classes.h5', '-t', '1', '-S', '5', '--also', 'shifted.h5', '--referral-risk', '0.9'], None),
    ('calibrate_maps', ['calibrate', 'drawn.h5', '--method', 'vector', '--json', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('calibrate_real', ['calibrate', 'run.h5', '--method', 'cqr', '--json', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('attack_maps', ['attack', 'drawn.h5', '--eps', '0.1', '--json', '-t', '1', '-S', '5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('ood_json', ['ood', 'classes.h5', '--in', 'c.csv', '--out', 'c.csv', '--json', '-t', '1', '-S', '5'], None),
    ('acquire_json', ['acquire', 'run.h5', '-d', 'new.csv', '-n', '2', '--json', '--scores', 'out.h5', '-t', '1', '-S', '5', '-f'], 'out.h5'),
    ('bandit_json', ['bandit', '--game', 'wheel', '-n', 'dense:3; tanh; dense', '--steps', '20', '--every', '10', '--runs', '2', '--json', '-t', '1', '-f', '-o', 'out.h5'], 'out.h5'),
    ('diagnose_json', ['diagnose', 'chains.h5', '--json', '--weights', '-t', '1'], None),
    ('compare_far', ['compare', '-d', 't.h5', *small, '-e', 'map:epochs=2', '-e', 'hmc:chains=2,warmup=2,samples=4,steps=1', '-k', '0', '--json', '-f', '-o', 'out.h5'], 'out.h5'),
    ('compare_part', ['compare', '-d', 't.h5', *small, *two, '--part', '2/2', '-f', '-o', 'out.h5'], 'out.h5'),
    ('compare_resume', ['compare', '-d', 't.h5', *small, *two, '--resume', '-o', 'out.h5'], 'out.h5'),
    ('compare_begun', ['compare', '-d', 't.h5', *small, *two, '--resume', '-f', '-o', 'out.h5'], 'out.h5'),
    ('compare_slurm', ['compare', '-d', 't.h5', *small, *two, '--slurm', '2', '-f', '-o', 'out.h5'], 'out.slurm'),
    ('merge', ['merge', 'part1.h5', 'part2.h5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('merge_predicted', ['merge', 'rows1.h5', 'rows2.h5', '-f', '-o', 'out.h5'], 'out.h5'),
    ('diff', ['diff', 'run.h5', 'older.h5'], None),
    ('lint', ['info', '--lint', 'run.h5'], None),
    ('info_compared', ['info', '--json', 'compared.h5', 't.h5'], None),
    ('report_run', ['report', 'run.h5', '-f', '-o', 'out.html'], 'out.html'),
    ('list', ['list', '--json', '--plugin', plugin], None),
    ('show', ['show', '--json', 'mc_dropout'], None),
    ('sbc', ['sbc', '--json', '-n', 'dense', '-e', 'hmc:chains=2,warmup=2,samples=4,steps=1', '--draws', '4', '-l', 'gaussian:shape=2', '--rows', '5', '--bins', '5', '--replications', '3', '-t', '1'], None),
    ('sbc_verdicts', ['sbc', '--json', '-n', 'dense', '-e', 'map:epochs=2', '--verdicts', '-l', 'gaussian:shape=2', '--rows', '5', '--replications', '2', '-t', '1'], None),
    ('geweke', ['sbc', '--json', '--geweke', '-n', 'dense', '-e', 'hmc:steps=2,step=0.1', '-l', 'gaussian:tau=4', '--rows', '5', '--replications', '2', '--transitions', '4', '-t', '1'], None),
    ('check', ['check', '--json', 'tanh', '--rule', 'metadata'], None),
    ('bench', ['bench', '--json', 'mc_uci', '--seconds', '0.0001', '-t', '1'], None),
    ('man', ['man'], None),
    ('complete', ['complete', '--', 'fit', '--engine', 'mc_dropout:'], None),
    *[('new_' + kind, ['new-' + kind, 'mine'], 'mine') for kind in ('engine', 'likelihood', 'prior', 'optimizer')],
]


def run(name, words, harmed=None, limit=None):
    """Runs a command with the variables of failing.so, or with files of so many bytes at most."""
    more = dict(harmed, LD_PRELOAD=failing, FAIL_NOTE=os.path.abspath('note')) if harmed else {}
    before = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit is not None else None
    return subprocess.run([facade if name == 'facade' else bnn, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=120, preexec_fn=before,
                          env={**os.environ, 'LC_ALL': 'C', 'OMP_NUM_THREADS': '1', **more})


def works(*words):
    done = run('', words)
    assert done.returncode == 0, (words, done.stderr)


def write_pictures():
    """Writes pictures with their label maps, and others in IDX."""
    os.mkdir('pictures'), os.mkdir('drawn')
    for i in range(6):
        write_png(f'pictures/{i}.png', [[(40 + 37 * i + 90 * (row > i % 4) + 11 * column) % 256 for column in range(6)] for row in range(6)])
        write_png(f'drawn/{i}.png', [[row > i % 4] * 6 for row in range(6)])
    with gzip.open('images.gz', 'wb') as images, gzip.open('labels.gz', 'wb') as labels:
        images.write(struct.pack('>IIII', 0x803, 6, 3, 3) + bytes(i * i % 251 for i in range(54)))
        labels.write(struct.pack('>II', 0x801, 6) + bytes(i % 2 for i in range(6)))


def write_folder():
    """Writes a folder as the UCI sets are published."""
    os.mkdir('uci')
    for name, rows in ('data', [(i % 7, i % 5, i % 3) for i in range(8)]), ('index_features', [(0,), (1,)]), ('index_target', [(2,)]), \
                      ('index_train_0', [(i,) for i in range(6)]), ('index_test_0', [(6,), (7,)]):
        with open(f'uci/{name}.txt', 'w') as f: f.writelines(' '.join(map(str, row)) + '\n' for row in rows)


def write_weights():
    """Writes weights of `small` on the table of real numbers, as safetensors and as NumPy's archive."""
    shapes = {'1.bias': (3,), '1.weight': (3, 5), '2.bias': (1,), '2.weight': (1, 3)}
    head, bodies = {}, b''
    with zipfile.ZipFile('w.npz', 'w') as archive:
        for name, shape in shapes.items():
            n = shape[0] * (shape[1] if len(shape) > 1 else 1)
            body = struct.pack(f'<{n}f', *(i / 8 - 1 for i in range(n)))
            head[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(bodies), len(bodies) + len(body)]}
            bodies += body
            about = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + '\n'
            archive.writestr(name + '.npy', b'\x93NUMPY\1\0' + struct.pack('<H', len(about)) + about.encode() + body)
    text = json.dumps(head).encode()
    with open('w.safetensors', 'wb') as f: f.write(struct.pack('<Q', len(text)) + text + bodies)


def prepare_others():
    """Makes what maps, weights from elsewhere and parts begin with."""
    write_pictures(), write_folder(), write_weights()
    works('import', 'images', 'pictures', '--annotations', 'drawn', '-o', 'maps.h5')
    works('split', 'maps.h5', '--kind', 'kfold', '--count', '2')
    works('fit', '-d', 'maps.h5', '-n', maps, '-t', '1', '-S', '5', '-e', 'mc_dropout:epochs=2', '-o', 'drawn.h5')
    works('shift', 'c.h5', '--noise', '0.1', '-o', 'shifted.h5')
    for i in '12':
        works('compare', '-d', 't.h5', *small, *two, '--part', i + '/2', '-o', f'part{i}.h5')
        works('predict', 'run.h5', '-t', '1', '-S', '5', '--part', i + '/2', '-o', f'rows{i}.h5')
    run('', ['fit', '-d', 't.h5', *small, '-e', 'map:epochs=2', '--max-time', '0.000001s', '-o', 'first.h5'])
    works('merge', 'part2.h5', '--partial', '-o', 'begun.h5')


def prepare():
    with open('t.csv', 'w') as real, open('c.csv', 'w') as classes, open('new.csv', 'w') as new:
        print('a,b,k,y', file=real), print('a,b,kind', file=classes), print('a,b,k', file=new)
        for i in range(40):
            print(i % 7, i % 5, 'uvw'[i % 3], (i * 13) % 11 / 2, sep=',', file=real)
            print(i % 7, i % 5, 'xyz'[i * i % 3], sep=',', file=classes)
            if i < 5: print(i % 7, i % 5, 'uvw'[i % 3], sep=',', file=new)
    for letter in 'tc':
        works('import', 'csv', letter + '.csv', '-o', letter + '.h5')
        works('split', letter + '.h5', '--kind', 'kfold', '--count', '2')
    works('fit', '-d', 't.h5', *small, '-e', 'mc_dropout:epochs=2', '-o', 'run.h5')
    works('fit', '-d', 't.h5', *small, '-e', 'mc_dropout:epochs=2', '-s', '9', '-o', 'older.h5')
    works('fit', '-d', 'c.h5', *small, '-e', 'mc_dropout:epochs=2', '-o', 'classes.h5')
    works('fit', '-d', 't.h5', *small, '-e', 'hmc:chains=2,warmup=4,samples=16,steps=2', '-o', 'chains.h5')
    works('compare', '-d', 't.h5', *small, *two, '-k', '0', '-o', 'compared.h5')
    prepare_others()
    stop = subprocess.Popen([bnn, 'fit', '-d', 't.h5', *small, '-e', 'map:epochs=4000', '--checkpoint-every', '1epochs', '-o', 'part.h5'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists('part.h5'): time.sleep(0.001)
    stop.send_signal(signal.SIGKILL), stop.wait()
    works('split', 't.h5', '--kind', 'kfold', '--count', '2')  # clears what the kill left of others
    for name in os.listdir('.'):
        if '.tmp.' in name or name.endswith('.lock'): os.remove(name)


BESIDE = 'out.h5.fit.0.0'  # a fit on its way, of a comparison
begun = {'resume': 'part.h5', 'compare_resume': 'begun.h5', 'compare_begun': 'begun.h5'}  # what a command goes on with


def place(name, output):
    """Puts what the command is to replace, or to go on with, at its output."""
    if output == 'mine': shutil.rmtree('mine', ignore_errors=True)
    elif output: shutil.copy(begun.get(name, 'older.h5'), output)
    if name == 'compare_begun': shutil.copy('first.h5', BESIDE)


def content(path):
    """The bytes of a file, or the names and bytes of those in a folder; None: nothing is there."""
    if path and os.path.isdir(path): return [(name, content(os.path.join(path, name))) for name in sorted(os.listdir(path))]
    if not path or not os.path.exists(path): return None
    with open(path, 'rb') as f: return f.read()


def same(output):
    """Whether the output is that of the command unharmed, apart from when and how fast it was made."""
    if output and output.endswith('.h5'): return run('', ['diff', output, 'good.h5']).returncode == 0
    return content(output) == good_content


def untimed(printed):
    return re.sub(rb'[-\d.e]+ (MB|s\b)|"(seconds\w*|peak\w*|rate|gflops|share_of_peak)": *[-\d.e]+', b'', printed)


def complaint(done, output, old):
    """What is wrong with a command that was harmed; '' is nothing."""
    said = done.stderr.decode(errors='replace')
    left = set(os.listdir('.')) - here
    for name in left: shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)
    if done.returncode not in (good.returncode, 2): return f'exit status {done.returncode}'
    if left: return f'{sorted(left)} is left'
    if done.returncode == good.returncode:
        if any(not line.startswith('bnn: ') for line in said.splitlines()): return 'something was said'
        if b'no_distance' in done.stdout: return ''  # the rows that a run was fitted to may be gone, which is told
        if untimed(done.stdout) != untimed(good.stdout): return f'another answer: {sorted(set(done.stdout.splitlines()) ^ set(good.stdout.splitlines()))[:4]}'
        return '' if same(output) else 'another output'
    if said.count('\n') != 1 or not said.startswith('bnn'): return 'not one sentence'
    if content(output) == old: return ''
    if 'was written without predictions' in said: return '' if run('', ['info', output]).returncode == 0 else 'no output'
    return '' if 'was written' in said and same(output) else 'the old output is lost'


def harms(words):
    """What a command meets, one after the other: number, variables, limit of a file."""
    n = every
    while True:
        if harm == 'disk': yield n, None, n
        elif harm == 'calls': yield n, {'FAIL_AT': str(n), 'FAIL_ERROR': str(errors[n % len(errors)])}, None
        else: yield n, {'FAIL_AT': str(n), 'FAIL_IN': library}, None
        n += every


def was_harmed(n, done, output):
    if harm == 'disk': return done.returncode == 2 or n <= os.path.getsize(output)
    if not os.path.exists('note'): return False
    os.remove('note')
    return True


def tell(name, n, wrong, done):
    global failed
    failed += 1
    print(f'{name}, {sys.argv[1]} {n}: {wrong}\n    {done.stderr[:300]!r}', flush=True)


def walk(name, words, output):
    global runs
    for n, harmed, limit in harms(words):
        place(name, output)
        old = content(output)
        done = run(name, words, harmed, limit)
        if not was_harmed(n, done, output): return
        runs += 1
        wrong = complaint(done, output, old)
        if wrong: tell(name, n, wrong, done)


def kill(name, words, output, after):
    """Kills a command, and lets it run to its end afterwards."""
    global runs
    runs += 1
    place(name, output)
    old = content(output)
    process = subprocess.Popen([facade if name == 'facade' else bnn, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, 'OMP_NUM_THREADS': '1'})
    time.sleep(after)
    process.kill(), process.wait()
    whole = content(output) == old or run('', ['info', output]).returncode == 0 if output.endswith('.h5') else content(output) in (old, good_content)
    if output == 'mine': place(name, output)  # a folder is no output to be replaced
    done = run(name, words)
    finished = name in begun and same(output)  # the kill came after the end
    wrong = 'half an output' if not whole else '' if finished else complaint(done, output, old)
    if wrong or done.returncode != good.returncode: tell(name, f'after {after:.3f} s', wrong or 'does not work again', done)


def readable(path):
    return run('', ['info', path]).returncode == 0


def write_together(k):
    """Two fits with one output: each has written a whole file, there or, with a sentence, beside it, however they meet."""
    global runs
    runs += 1
    names = set(os.listdir('.'))
    words = ['fit', '-d', 't.h5', *small, '-e', 'map:epochs=40', '--checkpoint-every', '1epochs', '-f', '-o', 'both.h5', '-s']
    pair = [subprocess.Popen([bnn, *words, str(2 * k + i)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env={**os.environ, 'LC_ALL': 'C', 'OMP_NUM_THREADS': '1', 'LD_PRELOAD': failing, 'FAIL_LOCKS': '1'}) for i in range(2)]
    unreadable = 0
    while any(p.poll() is None for p in pair): unreadable += os.path.exists('both.h5') and not readable('both.h5')
    said = [p.stderr.read().decode() for p in pair]
    beside = [m[1] for text in said for m in re.finditer(r'what this one made is (\S+\.h5)$', text, re.M)]
    lost = [text for p, text in zip(pair, said) if p.returncode != 0 and not (p.returncode == 2 and text.startswith('bnn: both.h5: another process '))
            and 'what this one made is' not in text]
    left = {name for name in os.listdir('.') if '.tmp.' in name or name.endswith('.lock')} - names
    wrong = f'{unreadable} times unreadable' if unreadable else f'lost: {lost}' if lost else f'{left} left' if left else ''
    if not wrong and not (readable('both.h5') and all(map(readable, set(beside)))): wrong = 'a file is missing'
    if not wrong and all(p.returncode for p in pair): wrong = 'nobody has written it'
    if wrong: tell('fit', k, wrong, subprocess.CompletedProcess([], 0, stderr=''.join(said)))
    for name in set(os.listdir('.')) - names: os.remove(name)


folder = tempfile.mkdtemp()
os.chdir(folder)
prepare()
draw = random.Random(1)
for k in range(every if harm == 'writers' else 0): write_together(k)
for name, words, output in [c for c in commands if harm != 'writers' and (not chosen or c[0] in chosen) and (c[2] or harm not in ('disk', 'kill'))]:
    if output and output.endswith('.html') and not shutil.which('gnuplot'): continue
    if name == 'lint' and harm == 'calls': continue  # what cannot be read is what it is to find
    place(name, output)
    here = set(os.listdir('.')) | {output, 'note', 'good.h5', BESIDE}
    began, good = time.time(), run(name, words)
    took = time.time() - began
    assert good.returncode < 2, (name, good.stderr)
    good_content = content(output)
    if output and output.endswith('.h5'): shutil.copy(output, 'good.h5')
    if harm != 'kill': walk(name, words, output)
    else:
        writers = len([c for c in commands if c[2]])
        for _ in range(-(-every // writers)): kill(name, words, output, draw.uniform(0, took))
print(f'{runs} runs, {failed} failed')
shutil.rmtree(folder)
sys.exit(failed > 0)
