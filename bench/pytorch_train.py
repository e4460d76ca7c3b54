"""Measures the network of the built-in trainer in PyTorch, on requests from stdin (see bench/train/peer.ts).

    python3 bench/pytorch_train.py THREADS IMAGES [cuda]

The step is optimized: the images are one tensor and a batch is an index into it, without a DataLoader.
"""

import json
import sys
import time

import torch
from torch import nn

IMAGES = int(sys.argv[2])
DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cpu"
LATENT_DIM = 30
PENALTY = {3: 1e-5, 5: 1e-7}
HIDDEN = {3: [256, 144], 5: [640, 512, 256, 144]}
WARM_UP_S = 0.5

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
rows = (torch.rand(IMAGES, 784) * 2 - 1).to(DEVICE)


def network(depth):
    down = [784, *HIDDEN[depth], LATENT_DIM]
    widths = down + down[-2::-1]
    layers = []
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if i == len(widths) - 2:
            layers.append(nn.Tanh())
        elif i != depth - 1:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers).to(DEVICE)


def train_step(depth, batch):
    net = network(depth)
    parameters = list(net.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, weight_decay=PENALTY[depth])
    mse = nn.MSELoss()
    losses = []

    def batches():
        while True:
            yield from torch.randperm(IMAGES).split(batch)

    order = batches()

    def step():
        x = rows[next(order)]
        optimizer.zero_grad()
        loss = mse(net(x), x)
        total = loss + PENALTY[depth] * sum(p.abs().sum() for p in parameters)
        total.backward()
        optimizer.step()
        losses.append(loss.detach())
        if len(losses) == 256:
            torch.stack(losses).tolist()
            losses.clear()

    return step


def matmul_step(batch):
    a, b = torch.rand(640, 784, device=DEVICE), torch.rand(784, batch, device=DEVICE)
    return lambda: torch.matmul(a, b)


def measure(step, seconds):
    step()
    start = now = time.perf_counter()
    least, count = float("inf"), 0
    while now - start < seconds:
        begun = now
        step()
        now = time.perf_counter()
        least = min(least, now - begun)
        count += 1
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return {"count": count, "seconds": time.perf_counter() - start, "least": least}


def send(message):
    print(json.dumps(message), flush=True)


device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"the CPU, {torch.get_num_threads()} threads"
send({"description": f"PyTorch {torch.__version__} on {device}"})
steps = {}
for line in sys.stdin:
    request = json.loads(line)
    key = (request["subject"], request["depth"], request["batch"])
    if key not in steps:
        matmul = request["subject"] == "matmul"
        steps[key] = matmul_step(request["batch"]) if matmul else train_step(request["depth"], request["batch"])
        measure(steps[key], WARM_UP_S)
    send(measure(steps[key], request["seconds"]))
