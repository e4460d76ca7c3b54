"""Linear regression by stochastic gradient descent, with checkpoints: a program for population based training.

Needs only Python. Also runs without trawl: python3 train.py --lr=0.01
"""

import argparse
import json
import os
import random
import signal
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--epochs", type=int, default=24)
args = parser.parse_args()

INPUTS = 20
every = int(os.environ.get("TRAWL_CHECKPOINT_EVERY", "0"))
seed = int(os.environ.get("TRAWL_SEED", "0"))

# All members of the population have the same data. Only the order of the training points depends on the seed.
data = random.Random(0)
target = [data.gauss(0, 1) for _ in range(INPUTS)]


def point():
    x = [data.gauss(0, 1) for _ in range(INPUTS)]
    return x, sum(a * b for a, b in zip(target, x)) + data.gauss(0, 1)


train = [point() for _ in range(300)]
test = [point() for _ in range(300)]


def predict(weights, x):
    return sum(w * a for w, a in zip(weights, x))


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

# The state has everything that training changes. The learning rate and the momentum are not part of the state: a child
# continues from the state of its parent, but gets its own learning rate and momentum as arguments.
state = {"epoch": 0, "weights": [0.0] * INPUTS, "velocity": [0.0] * INPUTS}
if "TRAWL_CHECKPOINT" in os.environ:
    with open(os.environ["TRAWL_CHECKPOINT"]) as file:
        state = json.load(file)
    print(f"continuing after epoch {state['epoch']} with lr {args.lr} and momentum {args.momentum}")

for epoch in range(state["epoch"] + 1, args.epochs + 1):
    weights, velocity = state["weights"], state["velocity"]
    for x, y in random.Random(f"{seed}/{epoch}").sample(train, len(train)):
        error = predict(weights, x) - y
        for i, a in enumerate(x):
            velocity[i] = args.momentum * velocity[i] - args.lr * error * a
            weights[i] += velocity[i]
    state["epoch"] = epoch
    loss = sum((predict(weights, x) - y) ** 2 for x, y in test) / len(test)
    # The metrics of an epoch are printed before the checkpoint of the epoch.
    print(json.dumps({"epoch": epoch, "test_loss": loss}), flush=True)
    if every and epoch % every == 0:
        # Each checkpoint has its own file. The file is complete before its name is printed.
        name = f"state-{epoch}.json"
        with open(os.path.join(os.environ.get("TRAWL_DIR", "."), name), "w") as file:
            json.dump(state, file)
        print(json.dumps({"checkpoint": name, "epoch": epoch}), flush=True)
