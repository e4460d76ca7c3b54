"""Runs studies of Optuna's TPE, one after the other. Reads JSON lines on stdin, writes JSON lines to stdout.

First, the peer writes the versions of Optuna and Python. A study starts with a line on stdin:
{"sampler", "seed", "trials", "parameters": [{"name", "kind", ..., "condition"}]}.
For each trial, the peer writes the point and reads its value, or null if the trial failed.
"""
import json
import sys
import warnings

import optuna

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def sampler_of(name, seed):
    if name == "default":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def suggest(trial, parameter):
    name, kind = parameter["name"], parameter["kind"]
    if kind == "categorical":
        return trial.suggest_categorical(name, parameter["values"])
    if kind == "int_uniform":
        return trial.suggest_int(name, parameter["min"], parameter["max"])
    return trial.suggest_float(name, parameter["min"], parameter["max"], log=kind == "log_uniform")


def point_of(trial, parameters):
    point = {}
    for parameter in parameters:
        condition = parameter.get("condition")
        if condition is None or point.get(condition["parameter"]) == condition["value"]:
            point[parameter["name"]] = suggest(trial, parameter)
    return point


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main():
    send({"version": optuna.__version__, "python": sys.version.split()[0]})
    for line in sys.stdin:
        request = json.loads(line)
        study = optuna.create_study(sampler=sampler_of(request["sampler"], request["seed"]))
        for _ in range(request["trials"]):
            trial = study.ask()
            send(point_of(trial, request["parameters"]))
            value = json.loads(sys.stdin.readline())
            if value is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, value)


main()
