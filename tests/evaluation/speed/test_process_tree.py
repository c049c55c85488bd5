import os
import subprocess
import sys

from huidurep_hf.evaluation.speed.process_tree import cpu_seconds_of_tree, list_tree, memory_of_tree, stop_tree

HOLD = "import time; held = bytearray(64 * 2**20); print('ready', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


def test_children_count():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        memory = memory_of_tree(process.pid)
        assert 64 * 2**20 < memory.own <= memory.total
        assert len(list_tree(process.pid)) == 2 and cpu_seconds_of_tree(process.pid) > 0
    finally:
        stop_tree(process.pid)
        process.wait()
    assert list_tree(process.pid) == [] and memory_of_tree(process.pid).total == 0


def test_time_of_children_that_ended_counts():
    before = cpu_seconds_of_tree(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    assert cpu_seconds_of_tree(os.getpid()) - before > 0.05
