"""Runs trials as one task array of HyperQueue, with the program `hq`: a server with a journal, and one worker.

HyperQueue does not restart its own processes, so this program starts a killed server or worker again, as an operator
would. The server then continues from its journal. TRAWL_HQ names the program; default: `hq` on PATH.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import trial

HQ = os.environ.get("TRAWL_HQ") or "hq"
JOB = "1"
given = trial.settings()
folder = Path(given["folder"])
autoencoder = Path(__file__).with_name("autoencoder.py")


def hq(*arguments):
    return [HQ, "--server-dir", str(folder / "server"), *arguments]


def start(*arguments):
    return subprocess.Popen(hq(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(*arguments):
    """Returns the answer of the server, or None if the server does not answer."""
    answer = subprocess.run(hq("--output-mode", "json", *arguments), capture_output=True, text=True)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def wait_until(condition):
    while not (answer := condition()):
        time.sleep(0.05)
    return answer


def start_server():
    flush = ["--journal", str(folder / "journal"), "--journal-flush-period", "1s"]
    server = start("server", "start", "--host", "localhost", *flush)
    wait_until(lambda: ask("server", "info"))
    return server


def start_worker():
    worker = start("worker", "start", "--cpus", str(given["slots"]))
    wait_until(lambda: ask("worker", "list"))
    return worker


def command():
    if given["log"]:
        return ["sh", "-c", f'sleep {trial.SLEEP_S}; echo "$HQ_TASK_ID" >> "$0"', given["log"]]
    if given["work"] == "sleep":
        return ["sleep", f"{trial.SLEEP_S}"]
    if given["work"] == "train":
        return ["sh", "-c", 'exec "$0" "$1" "$HQ_TASK_ID" "$2"', given["python"], str(autoencoder), given["images"]]
    return ["true"]


server = start_server()
worker = start_worker()
trial.ready()
array = ["--array", f"1-{given['trials']}", "--stdout", "none", "--stderr", "none"]
subprocess.run(hq("submit", *array, "--", *command()), check=True, stdout=subprocess.DEVNULL, cwd=folder)
waiting = start("job", "wait", JOB)
asked_at = time.monotonic()
while True:
    if server.poll() is not None:
        server = start_server()
    if worker.poll() is not None:
        worker = start_worker()
    has_waited = waiting.poll() is not None
    if has_waited or time.monotonic() - asked_at > 1:
        info = ask("job", "info", JOB)
        counts = info[0]["info"]["task_stats"] if info else {"finished": 0, "waiting": 1}
        trial.send(finished=counts["finished"])
        if has_waited and sum(counts.get(state, 0) for state in ("waiting", "running")) == 0:
            break
        asked_at = time.monotonic()
    if has_waited:
        waiting = start("job", "wait", JOB)
    time.sleep(0.01)
trial.send(end=True)
tasks = ask("task", "list", JOB, "--task-status", "finished")
trial.send(points=[task["id"] for of_job in tasks.values() for task in of_job])
