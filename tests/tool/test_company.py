#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads with company: beside busy processes on two cores a fit on two threads is not slower than 0.8 of one on one thread. Call: test_company.py BNN"""
import os
import statistics
import subprocess
import sys

ROUNDS, LEAST = 7, 0.8


def rate(job, threads):
    run = subprocess.run([sys.argv[1], 'bench', job, '-t', str(threads), '--seconds', '0.3'], check=True, capture_output=True, text=True)
    return float(run.stdout.split()[1])


def ratio(job):
    """Of rates that are measured in turn, so that both have the same company."""
    pairs = [(rate(job, 1), rate(job, 2)) for _ in range(ROUNDS)]
    one, two = (statistics.median(side) for side in zip(*pairs))
    return two / one


def main():
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    slow = 0
    for busy in 1, 2, 4:
        company = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(busy)]
        try:
            for job in 'train_bbb', 'train_mnist':
                found = ratio(job)
                slow += found < LEAST
                print('%s beside %d busy: two threads make %.2f of what one makes' % (job, busy, found), flush=True)
        finally:
            for process in company:
                process.kill()
                process.wait()
    return slow > 0


sys.exit(main())
