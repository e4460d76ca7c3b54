"""The work of a trial, and the messages between the program of a peer and bench/peers/cell.ts.

The first argument of a program has the settings (bench/peers/peer.ts, ProgramSettings). The program prints one JSON
object per line: `ready`; then, after a line on stdin, `finished` (a count, any number of times), `end` and `points`.
"""

import json
import os
import sys
import time

SLEEP_S = 0.1


def settings():
    return json.loads(sys.argv[1])


def points(given):
    return list(range(1, given["trials"] + 1))


def run(given, point):
    """Does the work of one trial in this process, and returns its loss."""
    loss = float(point)
    if given["work"] == "sleep":
        time.sleep(SLEEP_S)
    elif given["work"] == "train":
        from autoencoder import train

        loss = train(point, given["images"])
    if given["log"]:
        with open(given["log"], "a") as log:
            log.write(f"{point}\n")
    return loss


def send(**message):
    sys.__stdout__.write(json.dumps(message) + "\n")
    sys.__stdout__.flush()


def ready():
    """Reports that the program is ready, and waits for the start."""
    send(ready=True)
    sys.stdin.readline()


class Progress:
    """Reports the number of finished trials, at most ten times per second."""

    def __init__(self):
        self.count = 0
        self.sent_at = 0.0

    def add(self, count=1):
        self.count += count
        now = time.monotonic()
        if now - self.sent_at >= 0.1:
            self.sent_at = now
            send(finished=self.count)
