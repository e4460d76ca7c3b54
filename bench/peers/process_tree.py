"""Runs a program so that all its processes stay in one tree, and ends the whole tree when the program ends.

    python3 process_tree.py PROGRAM [ARGUMENT...]

A process whose parent has ended becomes a child of this process, which waits for it. In /proc, the CPU time of an ended
process is therefore part of the child times of another process of the tree. SIGTERM, SIGINT and the end of the parent end
the tree.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def descendants():
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def end_tree():
    while pids := descendants():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.01)


def stop(*_):
    end_tree()
    os._exit(143)


for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, stop)
prctl = ctypes.CDLL(None).prctl
if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 or prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
    sys.exit("could not become the parent of orphaned processes: this benchmark needs Linux")
program = subprocess.Popen(sys.argv[1:])
code = None
while code is None:
    pid, status = os.wait()
    if pid == program.pid:
        code = os.waitstatus_to_exitcode(status)
end_tree()
os._exit(code if code >= 0 else 128 - code)
