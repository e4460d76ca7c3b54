"""Takes the arguments that W&B's agent passes. Imports no package, and prints its metrics as JSON."""

import json
import math
import sys
import time

arguments = dict(item[2:].split("=", 1) for item in sys.argv[1:])
learning_rate = float(arguments["learning_rate"])
momentum = float(arguments["momentum"])
distance = math.log10(learning_rate / 0.01) ** 2 + (momentum - 0.9) ** 2

for epoch in range(1, int(arguments["epochs"]) + 1):
    time.sleep(float(arguments.get("delay", 0)))
    # The ranking of trials by loss is the same after every epoch.
    loss = distance + 1 / epoch
    print(json.dumps({"epoch": epoch, "val_loss": loss}), flush=True)

numbers = {}
for name, value in arguments.items():
    try:
        numbers[name] = float(value)
    except ValueError:
        pass
print(json.dumps({"epoch": epoch, "received": numbers}), flush=True)
