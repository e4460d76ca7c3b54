"""Gradient descent on the Rosenbrock function: a small program that trawl can sweep.

Needs only Python. Also runs without trawl: python3 train.py --lr=0.001
"""

import argparse
import json
import os
import random
import signal
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()

folder = os.environ.get("TRAWL_DIR", ".")
checkpoint_every = int(os.environ.get("TRAWL_CHECKPOINT_EVERY", "0"))
generator = random.Random(int(os.environ.get("TRAWL_SEED", "0")))


def loss(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def gradient(x, y):
    return -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)


stopping = False


def stop(_signal, _frame):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)

# Starts from a random point, or from the checkpoint of an earlier attempt.
state = {"epoch": 0, "x": generator.uniform(-1.5, -1.0), "y": generator.uniform(0.5, 1.5), "dx": 0.0, "dy": 0.0}
if "TRAWL_CHECKPOINT" in os.environ:
    with open(os.environ["TRAWL_CHECKPOINT"]) as file:
        state = json.load(file)
    print(f"resuming after epoch {state['epoch']}")

path = []
for epoch in range(state["epoch"] + 1, args.epochs + 1):
    for _ in range(100):
        gx, gy = gradient(state["x"], state["y"])
        state["dx"] = args.momentum * state["dx"] - args.lr * gx
        state["dy"] = args.momentum * state["dy"] - args.lr * gy
        state["x"] += state["dx"]
        state["y"] += state["dy"]
    state["epoch"] = epoch
    path.append((epoch, state["x"], state["y"]))
    # A line of JSON is a report; all other output goes to the log.
    print(json.dumps({"epoch": epoch, "loss": loss(state["x"], state["y"]), "x": state["x"], "y": state["y"]}))
    if checkpoint_every and epoch % checkpoint_every == 0:
        # Each checkpoint has its own file. The file is complete before its name is printed.
        name = f"state-{epoch}.json"
        with open(os.path.join(folder, name), "w") as file:
            json.dump(state, file)
        print(json.dumps({"checkpoint": name, "epoch": epoch}))
    if stopping:
        print("stopping on SIGTERM", file=sys.stderr)
        sys.exit(0)

# Files in this folder are stored with the trial.
with open(os.path.join(os.environ.get("TRAWL_ARTIFACTS", "."), "path.csv"), "w") as file:
    file.write("epoch,x,y\n")
    file.writelines(f"{epoch},{x},{y}\n" for epoch, x, y in path)
