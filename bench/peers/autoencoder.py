"""Trains the 3-layer autoencoder of trawl's built-in trainer in PyTorch: one epoch on the first 2,000 images of MNIST.

    python autoencoder.py POINT IMAGES [TRIALS]

POINT is the number of the trial: the learning rate is 1e-3 + POINT * 1e-6. IMAGES is MNIST's file of training images.
Prints the loss as one JSON object. With TRIALS, trains TRIALS times, and prints the duration of the fastest training.
"""

import json
import sys
import time

import torch
from torch import nn

IMAGE_COUNT = 2_000
TEST_COUNT = 500
HEADER_BYTES = 16
PIXELS = 784
BATCH = 64
WIDTHS = [PIXELS, 256, 144, 30, 144, 256, PIXELS]
PENALTY = 1e-5

# The trials of all slots share the cores, so each trial uses one thread.
torch.set_num_threads(1)


def images(path):
    count = IMAGE_COUNT + TEST_COUNT
    with open(path, "rb") as file:
        file.seek(HEADER_BYTES)
        data = bytearray(file.read(count * PIXELS))
    return (torch.frombuffer(data, dtype=torch.uint8).reshape(count, PIXELS).float() / 127.5 - 1).split(
        [IMAGE_COUNT, TEST_COUNT]
    )


def network():
    layers = []
    for at, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if at == len(WIDTHS) - 2:
            layers.append(nn.Tanh())
        elif at != len(WIDTHS) // 2 - 1:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def train(point, path):
    torch.manual_seed(0)
    rows, test = images(path)
    net = network()
    parameters = list(net.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3 + point * 1e-6, weight_decay=PENALTY)
    mse = nn.MSELoss()
    for batch in torch.randperm(len(rows)).split(BATCH):
        x = rows[batch]
        optimizer.zero_grad()
        loss = mse(net(x), x) + PENALTY * sum(p.abs().sum() for p in parameters)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return mse(net(test), test).item()


if __name__ == "__main__":
    point, path = int(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        times = []
        for _ in range(int(sys.argv[3])):
            start = time.perf_counter()
            train(point, path)
            times.append(time.perf_counter() - start)
        print(json.dumps({"seconds": min(times)}))
    else:
        print(json.dumps({"epoch": 1, "test_loss": train(point, path)}))
