#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_threads.py BNN HOW: every engine and every likelihood over threads, from the fit to the verdict.

HOW is
  bits   1 thread and 5, these under what OpenMP's environment can say: both give the same files and the same answers
  all    the same of 1, 2, 3, 7 and 16 threads and each of these settings, and of what `bnn evaluate` says
  races  4 threads, in a program that was built with ThreadSanitizer: it has nothing to say (sh tests/run.sh threads)
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from pictures import write_png

bnn, how = os.path.abspath(sys.argv[1]), sys.argv[2]
failed = runs = 0

MAPS = 'conv2d:channels=2,kernel=3,padding=1; tanh; conv2d:kernel=1'
NET, IMAGES = 'dense:16; tanh; dense', 'conv2d:channels=3,kernel=3,padding=1; batchnorm2d; relu; maxpool2d:2; flatten; dense'
# Name, data, and the words of a fit, to which `small` is added.
FITS = [
    ('map', 'r', NET, 'map:epochs=2', []),
    ('mc_dropout', 'r', NET, 'mc_dropout:epochs=2,gates=concrete', ['-l', 'heteroscedastic']),
    ('bayes_by_backprop', 'c', NET, 'bayes_by_backprop:epochs=2', ['-l', 'categorical', '-p', 'scale_mixture']),
    ('held_out_dropout', 'r', NET, 'held_out_dropout:steps=20', []),
    ('grid_search', 'r', NET, 'grid_search:engine=mc_dropout{epochs=1},grid={p=0.1|0.2|0.3}', []),
    ('early_stopping', 'r', NET, 'early_stopping:engine=map{epochs=4},every=2', []),
    ('ensemble', 'r', NET, 'ensemble:engine=map{epochs=2},members=3', []),
    ('laplace', 'b', NET, 'laplace:engine=map{epochs=2},structure=kron', ['-l', 'bernoulli']),
    ('last_layer', 'r', NET, 'last_layer:engine=map{epochs=2}', []),
    ('hmc', 'r', NET, 'hmc:chains=3,warmup=10,samples=20,steps=2', ['-p', 'hierarchical']),
    ('nuts', 'r', NET, 'nuts:chains=3,warmup=10,samples=20,max_depth=2', []),
    ('sgld', 'r', NET, 'sgld:chains=3,burnin=10,samples=20', []),
    ('sghmc', 'r', NET, 'sghmc:chains=3,burnin=10,samples=20', []),
    ('svgd', 'r', NET, 'svgd:particles=4,epochs=2', []),
    ('swag', 'r', NET, 'swag:epochs=6', []),
    ('images', 'i', IMAGES, 'map:epochs=1', []),
    ('gaussian_images', 'i', 'gaussian_conv2d:channels=2,kernel=3; flatten; gaussian_dense', 'bayes_by_backprop:epochs=1', []),
]
SAMPLED = ('hmc', 'nuts', 'sgld', 'sghmc')
SETTINGS = {
    'bits': [(1, {}), (5, {'OMP_DYNAMIC': 'true', 'OMP_WAIT_POLICY': 'passive', 'OMP_MAX_ACTIVE_LEVELS': '3'})],
    'all': [(1, {}), (2, {}), (3, {}), (7, {}), (16, {}), (3, {'OMP_DYNAMIC': 'true'}), (3, {'OMP_NESTED': 'true', 'OMP_MAX_ACTIVE_LEVELS': '3'}), (3, {'OMP_WAIT_POLICY': 'active'}),
            (3, {'OMP_WAIT_POLICY': 'passive'}), (3, {'OMP_SCHEDULE': 'dynamic,1', 'OMP_PROC_BIND': 'true'}), (3, {'OMP_THREAD_LIMIT': '2'})],
    'races': [(4, {'TSAN_OPTIONS': 'ignore_noninstrumented_modules=1:exitcode=66', 'OMP_TOOL_LIBRARIES': 'libarcher.so'})],
}


def run(words, environment, statuses=(0,)):
    """What a command prints; it may end with one of these statuses, and says no more than warnings and why it stopped."""
    global failed, runs
    runs += 1
    done = subprocess.run([bnn, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, 'LC_ALL': 'C', **environment})
    if done.returncode not in statuses or any(not line.startswith(('bnn: warning: ', 'bnn: stopped after ')) for line in done.stderr.splitlines()):
        failed += 1
        print(f'bnn {" ".join(words)} {environment}: exit status {done.returncode}\n{done.stderr[:3000]}')
    return done.stdout


def write_tables():
    for name, classes in ('r', 0), ('c', 3), ('b', 2):
        with open(name + '.csv', 'w') as f:
            print('a,b,c,y', file=f)
            for i in range(150):
                x = [(i * (k + 3) * 7 + k) % 13 / 13 for k in range(3)]
                print(*x, 'uvw'[i * i % classes] if classes else round(x[0] - 2 * x[1] + i % 3 / 9, 4), sep=',', file=f)
        run(['import', 'csv', name + '.csv', '-o', name + '.h5'], {})
    with open('images', 'wb') as images, open('labels', 'wb') as labels:
        images.write(bytes([0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 6, 0, 0, 0, 6]) + bytes(i * i % 251 for i in range(60 * 36)))
        labels.write(bytes([0, 0, 8, 1, 0, 0, 0, 60]) + bytes(i * i % 3 for i in range(60)))
    run(['import', 'idx', 'images', 'labels', '-o', 'i.h5'], {})
    os.mkdir('pictures'), os.mkdir('drawn')
    for i in range(9):
        write_png(f'pictures/{i}.png', [[(40 + 37 * i + 90 * (row > i % 4) + 11 * column) % 256 for column in range(6)] for row in range(6)])
        write_png(f'drawn/{i}.png', [[row > i % 4] * 6 for row in range(6)])
    run(['import', 'images', 'pictures', '--annotations', 'drawn', '-o', 'm.h5'], SETTINGS[how][0][1])
    for name in 'rcbim': run(['split', name + '.h5', '--kind', 'kfold', '--count', '3'], {})


def untimed(answer):
    """An answer in JSON without what clocks say."""
    def clean(value):
        if isinstance(value, dict): return {k: clean(v) for k, v in value.items() if not re.search('second|peak|time|threads', k)}
        return [clean(v) for v in value] if isinstance(value, list) else value
    return clean(json.loads(answer)) if answer else None


def follow(name, data, net, engine, more, threads, environment):
    """Files and answers of a fit and of what is done with it."""
    at = ['-t', str(threads)]
    run(['fit', '-d', data + '.h5', '-n', net, '-e', engine, *more, '--split', '0', '-S', '8', '-f', *at, '-o', f'{name}.h5'], environment)
    run(['predict', f'{name}.h5', '-d', data + '.h5', '--split', 'all', '-S', '8', '-f', *at, '-o', f'{name}.csv'], environment)
    with open(f'{name}.csv') as f: answers = [f.read()]
    if how != 'bits': answers.append(untimed(run(['evaluate', '--json', f'{name}.h5', '-S', '8', *at], environment)))
    if name in SAMPLED: answers.append(untimed(run(['diagnose', '--json', f'{name}.h5', *at], environment, (0, 1))))
    return answers


def compare(threads, environment):
    run(['compare', '-d', 'r.h5', '-n', NET, *[w for n, d, _, e, m in FITS if d == 'r' and not m and n in ('map', 'ensemble', 'laplace', 'nuts') for w in ('-e', e)], '-k', '0-1', '-S', '8', '-f',
         '-t', str(threads), '-o', 'compare.h5'], environment)


def follow_maps(threads, environment):
    """Calibrates and attacks what predicts maps of classes."""
    at = ['-S', '8', '-f', '-t', str(threads), '-o']
    run(['fit', '-d', 'm.h5', '-n', MAPS, '-e', 'mc_dropout:epochs=2,augment=flip', *at, 'maps.h5'], environment)
    run(['predict', 'maps.h5', '--probabilities', *at, 'predicted.h5'], environment)
    run(['calibrate', 'maps.h5', '--method', 'vector', *at, 'calibrated.h5'], environment)
    run(['attack', 'maps.h5', '--eps', '0.1', '--method', 'pgd', *at, 'attacked.h5'], environment)


def compare_in_time(threads, environment):
    """Compares in processes whose time is over at once, so that each makes a step of some fits."""
    for _ in range(8):
        said = run(['compare', '-d', 'r.h5', '-n', NET, '-e', 'map:epochs=2', '-e', 'mc_dropout:epochs=2', '-k', '0-1', '-S', '8', '--max-time', '0.000001s', '--resume',
                    '-t', str(threads), '-o', 'in_time.h5'], environment, (0, 1))
        if 'wrote in_time.h5' in said: return


def same_file(name, what):
    """Keeps the first file of a name, and holds the others to it."""
    global failed
    if not os.path.exists('first_' + name): os.rename(name, 'first_' + name)
    elif subprocess.run([bnn, 'diff', 'first_' + name, name], capture_output=True).returncode != 0:
        failed += 1
        print(f'{name}: another file with {what}')


folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
write_tables()
first = {}
for threads, environment in SETTINGS[how]:
    what = f'{threads} threads {environment}'
    for name, *words in FITS:
        answers = follow(name, *words, threads, environment)
        same_file(name + '.h5', what)
        if answers != first.setdefault(name, answers):
            failed += 1
            print(f'{name}: another answer with {what}')
    compare(threads, environment)
    follow_maps(threads, environment)
    compare_in_time(threads, environment)
    for name in ('compare', 'maps', 'predicted', 'calibrated', 'attacked', 'in_time'): same_file(name + '.h5', what)
missing = set(re.findall(r'^  (\w+)', run(['list'], {}).split('engines\n')[1].split('likelihoods\n')[0], re.M)) - {f[3].split(':')[0] for f in FITS}
if missing: print('engines that are not tried:', *missing)
print(f'{runs} commands, {failed} failed')
sys.exit(failed > 0 or bool(missing))
