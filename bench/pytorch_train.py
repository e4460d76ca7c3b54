"""Measures the network of the built-in trainer in PyTorch, on requests from stdin (see bench/train/peer.ts).

    python3 bench/pytorch_train.py THREADS IMAGES [cuda]

The step is optimized: the images are one tensor and a batch is an index into it, without a DataLoader. With the mode
`compile`, torch.compile compiles the network and its loss, including the L1 term. With the mode `vmap`, one compiled
function computes a pack: torch.func stacks the networks, and one Adam updates the parameters of all networks. Both modes
skip the last, short batch of an epoch, because each batch size is compiled separately.
"""

import copy
import json
import sys
import time

import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

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


def batches(batch, whole_only):
    while True:
        for indices in torch.randperm(IMAGES).split(batch):
            if len(indices) == batch or not whole_only:
                yield indices


class Losses:
    """Keeps the losses on the device, and reads them rarely."""

    def __init__(self):
        self.unread = []

    def add(self, loss):
        self.unread.append(loss.detach())
        if len(self.unread) == 256:
            torch.stack(self.unread).tolist()
            self.unread.clear()


def vmap_step(depth, batch, pack):
    networks = [network(depth) for _ in range(pack)]
    parameters, _ = stack_module_state(networks)
    base = copy.deepcopy(networks[0]).to("meta")
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3, weight_decay=PENALTY[depth], fused=DEVICE == "cuda")
    losses = Losses()

    def total_loss(own, x):
        mse = nn.functional.mse_loss(functional_call(base, own, (x,)), x)
        return mse + PENALTY[depth] * sum(p.abs().sum() for p in own.values()), mse

    gradients = torch.compile(vmap(grad(total_loss, has_aux=True)))
    orders = [batches(batch, True) for _ in range(pack)]

    def step():
        x = rows[torch.cat([next(order) for order in orders])].view(pack, batch, -1)
        found, mse = gradients({name: p.detach() for name, p in parameters.items()}, x)
        for name, parameter in parameters.items():
            parameter.grad = found[name]
        optimizer.step()
        losses.add(mse)

    return step


def train_step(depth, batch, compiled, fused):
    net = network(depth)
    parameters = list(net.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, weight_decay=PENALTY[depth], fused=fused)
    mse = nn.MSELoss()
    losses = Losses()
    order = batches(batch, compiled)

    def total_loss(x):
        loss = mse(net(x), x)
        return loss + PENALTY[depth] * sum(p.abs().sum() for p in parameters), loss

    loss_of = torch.compile(total_loss) if compiled else total_loss

    def step():
        x = rows[next(order)]
        optimizer.zero_grad()
        total, loss = loss_of(x)
        total.backward()
        optimizer.step()
        losses.add(loss)

    return step


def matmul_step(batch):
    a, b = torch.rand(640, 784, device=DEVICE), torch.rand(784, batch, device=DEVICE)
    return lambda: torch.matmul(a, b)


def measure(step, seconds):
    step()
    start_cpu = time.process_time()
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
    return {
        "count": count,
        "seconds": time.perf_counter() - start,
        "least": least,
        "cpuSeconds": time.process_time() - start_cpu,
    }


def prepare(step):
    """Returns the step and the duration of its first run, which includes any compilation."""
    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    measure(step, WARM_UP_S)
    return step, first


def send(message):
    print(json.dumps(message), flush=True)


device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"the CPU, {torch.get_num_threads()} threads"
send({"description": f"PyTorch {torch.__version__} on {device}"})


def step_for(request):
    depth, batch, mode = request["depth"], request["batch"], request.get("mode", "eager")
    if request["subject"] == "matmul":
        return matmul_step(batch)
    if mode == "vmap":
        return vmap_step(depth, batch, request["pack"])
    compiled = mode == "compile"
    return train_step(depth, batch, compiled, request.get("fusedAdam", compiled and DEVICE == "cuda"))


steps = {}
for line in sys.stdin:
    request = json.loads(line)
    key = tuple(request.get(name) for name in ("subject", "depth", "batch", "pack", "mode", "fusedAdam"))
    if key not in steps:
        steps[key] = prepare(step_for(request))
    step, first = steps[key]
    send({**measure(step, request["seconds"]), "firstStepSeconds": first})
