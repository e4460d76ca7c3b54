"""Gradient descent on the Rosenbrock function, written for W&B: trawl sweeps it without a change.

Needs the package wandb, but neither an account nor a network.
"""

import random

import wandb

DEFAULTS = {"learning_rate": 1e-4, "momentum": 0.0, "epochs": 10, "seed": 0}


def loss(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def gradient(x, y):
    return -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)


def main():
    run = wandb.init(config=DEFAULTS)
    config = wandb.config
    generator = random.Random(config.seed)
    x, y = generator.uniform(-1.5, -1.0), generator.uniform(0.5, 1.5)
    dx = dy = 0.0
    for epoch in range(1, config.epochs + 1):
        for _ in range(100):
            gx, gy = gradient(x, y)
            dx = config.momentum * dx - config.learning_rate * gx
            dy = config.momentum * dy - config.learning_rate * gy
            x, y = x + dx, y + dy
        wandb.log({"epoch": epoch, "val_loss": loss(x, y), "x": x, "y": y})
    run.summary["distance"] = ((x - 1) ** 2 + (y - 1) ** 2) ** 0.5
    run.finish()


if __name__ == "__main__":
    main()
