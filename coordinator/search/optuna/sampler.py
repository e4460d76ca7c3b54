"""Runs a sampler of Optuna for one sweep.

The coordinator sends one request per line on file descriptor 3, and this program answers each request with one line on
file descriptor 4. Both are JSON objects. stdout and stderr are free for the output of samplers.

A request has the fields
  settings    the sampler, its options, the seed, the directions and the space; only if the study starts anew
  add         trials to add to the study: [{values, attributes, state, objectives}]
  end         trials of the study that have ended: [[position, state, objectives]]
  number      the number of the suggestion
An answer has the fields `number`, `values` (the chosen values by parameter) and `attributes` (a text that must be sent
back whenever the trial is added to a new study), or `error` and `kind`.

The sampler is created anew for each suggestion, with a seed that depends on the seed of the sweep and on the number of
the suggestion. The attributes that a sampler sets on its trials and on the study are part of the answer. A suggestion
therefore depends only on the settings, on its number and on the study, and a new process makes the same suggestion as a
process that has run for a long time.
"""

import difflib
import hashlib
import importlib
import inspect
import json
import os
import queue
import random
import sys
import threading
import traceback

MAX_ERROR = 2000
# The samplers whose seed must be the same for all suggestions, so that all points belong to one scrambled sequence.
CONSTANT_SEED = ("QMCSampler",)

requests = os.fdopen(3, "r", encoding="utf-8")
answers = os.fdopen(4, "w", encoding="utf-8")
# The programs that a sampler starts must not keep the pipes open.
os.set_inheritable(3, False)
os.set_inheritable(4, False)
received = queue.Queue()


def receive():
    """Reads the requests in a thread, so that the program ends with the coordinator even while a sampler is busy."""
    for line in requests:
        received.put(line)
    os._exit(0)


def send(answer):
    answers.write(json.dumps(answer, allow_nan=False) + "\n")
    answers.flush()


class Problem(Exception):
    """A problem whose kind the coordinator recognizes."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def load_optuna():
    try:
        import optuna
    except ImportError as error:
        if getattr(error, "name", None) == "optuna":
            raise Problem("optuna", sys.executable) from error
        raise
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Study:
    def __init__(self, settings):
        self.optuna = load_optuna()
        self.settings = settings
        self.sampler_class = self.find_sampler(settings["sampler"])
        self.study = self.optuna.create_study(
            storage=self.optuna.storages.InMemoryStorage(),
            directions=settings["directions"],
            sampler=self.optuna.samplers.RandomSampler(seed=0),
        )
        self.storage = self.study._storage
        self.study_id = self.study._study_id
        self.distributions = {item["name"]: self.distribution(item) for item in settings["parameters"]}
        # The ids of the trials in the storage, in the order of the study.
        self.trial_ids = []
        self.create_sampler(0)

    def find_sampler(self, name):
        module_name, separator, class_name = name.partition(":")
        if separator == "":
            found = getattr(self.optuna.samplers, name, None)
            if found is None:
                raise Problem("sampler", "Optuna %s has no %s" % (self.optuna.__version__, name))
            return found
        sys.path.insert(0, os.getcwd())
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise
            raise Problem("sampler", "there is no module %s in %s" % (error.name, os.getcwd())) from error
        if found is None:
            raise Problem("sampler", "module %s has no class %s" % (module_name, class_name))
        return found

    def create_sampler(self, number):
        """Returns a sampler whose random numbers depend only on the seed of the sweep and the number of the suggestion."""
        seed = int.from_bytes(hashlib.sha256(b"%d/%d" % (self.settings["seed"], number)).digest()[:4], "big")
        random.seed(seed)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)
        options = dict(self.settings["options"])
        names = self.option_names(options)
        if "seed" in names:
            options["seed"] = self.settings["seed"] if self.settings["sampler"] in CONSTANT_SEED else seed
        if self.settings["sampler"] in CONSTANT_SEED and "independent_sampler" not in options:
            options["independent_sampler"] = self.optuna.samplers.RandomSampler(seed=seed)
        try:
            return self.sampler_class(**options)
        except (TypeError, ValueError) as error:
            raise Problem("options", "%s: %s" % (self.settings["sampler"], error)) from error

    def option_names(self, options):
        """Returns the names of the constructor's arguments. Rejects an option that the constructor does not accept."""
        try:
            parameters = inspect.signature(self.sampler_class).parameters
        except ValueError:
            return []
        names = [name for name in parameters if name != "seed"]
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for option in options:
            if option not in names and not takes_any:
                close = difflib.get_close_matches(option, names, 1)
                meant = 'did you mean "%s"?' % close[0] if close else "its options are " + ", ".join(names)
                raise Problem("options", '%s has no option "%s"; %s' % (self.settings["sampler"], option, meant))
        return list(parameters)

    def distribution(self, item):
        if item["kind"] == "categorical":
            return self.optuna.distributions.CategoricalDistribution(list(range(item["choices"])))
        if item["kind"] == "int":
            return self.optuna.distributions.IntDistribution(item["low"], item["high"], log=item["log"])
        return self.optuna.distributions.FloatDistribution(item["low"], item["high"], log=item["log"])

    def add(self, trial):
        attributes = json.loads(trial["attributes"] or "{}")
        values = {name: self.cast(name, value) for name, value in trial["values"].items()}
        state, objectives = self.end_of(trial["state"], trial.get("objectives"))
        template = self.optuna.trial.create_trial(
            state=state,
            values=objectives,
            params=values,
            distributions={name: self.distributions[name] for name in values},
            user_attrs=attributes.get("user", {}),
            system_attrs=attributes.get("system", {}),
        )
        self.trial_ids.append(self.storage.create_new_trial(self.study_id, template_trial=template))
        for name, value in attributes.get("study_system", {}).items():
            self.storage.set_study_system_attr(self.study_id, name, value)
        for name, value in attributes.get("study_user", {}).items():
            self.storage.set_study_user_attr(self.study_id, name, value)

    def cast(self, name, value):
        is_float = isinstance(self.distributions[name], self.optuna.distributions.FloatDistribution)
        return float(value) if is_float else int(value)

    def end_of(self, state, objectives):
        states = self.optuna.trial.TrialState
        if state == "running":
            return states.RUNNING, None
        return (states.FAIL, None) if objectives is None else (states.COMPLETE, objectives)

    def end(self, position, state, objectives):
        self.storage.set_trial_state_values(self.trial_ids[position], *self.end_of(state, objectives))

    def suggest(self, number):
        self.study.sampler = self.create_sampler(number)
        system_before = dict(self.storage.get_study_system_attrs(self.study_id))
        user_before = dict(self.storage.get_study_user_attrs(self.study_id))
        trial = self.study.ask()
        self.trial_ids.append(trial._trial_id)
        values = {}
        for item in self.settings["parameters"]:
            name = item["name"]
            if self.has_effect(name, values):
                values[name] = self.choose(trial, name, item)
        stored = self.storage.get_trial(trial._trial_id)
        attributes = {
            "system": dict(stored.system_attrs),
            "user": dict(stored.user_attrs),
            "study_system": changes(system_before, self.storage.get_study_system_attrs(self.study_id)),
            "study_user": changes(user_before, self.storage.get_study_user_attrs(self.study_id)),
        }
        kept = {name: content for name, content in attributes.items() if content}
        return {"number": number, "values": values, "attributes": json.dumps(kept) if kept else ""}

    def choose(self, trial, name, item):
        if item["kind"] == "categorical":
            return int(trial.suggest_categorical(name, list(range(item["choices"]))))
        if item["kind"] == "int":
            return int(trial.suggest_int(name, item["low"], item["high"], log=item["log"]))
        return float(trial.suggest_float(name, item["low"], item["high"], log=item["log"]))

    def has_effect(self, name, values):
        return not any(name in rule["set"] and applies(rule, values) for rule in self.settings["rules"])


def applies(rule, values):
    return all(
        condition["name"] in values
        and any(low <= values[condition["name"]] <= high for low, high in condition["anyOf"])
        for condition in rule["conditions"]
    )


def changes(before, after):
    return {name: value for name, value in after.items() if name not in before or before[name] != value}


def serve():
    study = None
    while True:
        request = json.loads(received.get())
        try:
            if "settings" in request:
                study = Study(request["settings"])
            for trial in request["add"]:
                study.add(trial)
            for position, state, objectives in request["end"]:
                study.end(position, state, objectives)
            answer = study.suggest(request["number"])
        except Problem as problem:
            answer = {"error": str(problem)[:MAX_ERROR], "kind": problem.kind}
        except Exception as error:
            traceback.print_exc()
            last = traceback.format_exception_only(type(error), error)[-1].strip()
            answer = {"error": last[:MAX_ERROR], "kind": "exception"}
        send(answer)


if __name__ == "__main__":
    threading.Thread(target=receive, daemon=True).start()
    serve()
