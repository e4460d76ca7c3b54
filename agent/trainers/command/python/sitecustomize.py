"""Forwards the metrics that a program logs with W&B, MLflow or TensorBoard to trawl. The program is not changed.

Python imports ``sitecustomize`` at every start. trawl puts this folder first on PYTHONPATH for a sweep that uses hooks
(``report: {hook: [wandb, mlflow, tensorboard]}``; ``wandb`` is the default of a W&B sweep file). Values are appended to
the file that TRAWL_METRICS names, one JSON object per line. Nothing here may ever break the program: every error is
caught, and each function prints only its first error to stderr. Works with Python 3.7 and later.
"""

import collections.abc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys


def _install():
    hooks = [name for name in os.environ.get("TRAWL_HOOKS", "").split(",") if name]
    if not hooks or not os.environ.get("TRAWL_METRICS"):
        return
    marker = os.environ.get("TRAWL_HOOK_MARKER")
    if marker:
        # Shows the agent that the hook was loaded. With `-I`, `-S` or `-E`, Python does not load the hook.
        with open(marker, "a"):
            pass
    patches = {}
    for name in hooks:
        patches.update(_PATCHES.get(name, {}))
    if patches:
        sys.meta_path.insert(0, _PatchingFinder(patches))


class _PatchingFinder(importlib.abc.MetaPathFinder):
    """Calls the patch of each module that has one, right after the module has been executed."""

    def __init__(self, patches):
        self._patches = patches
        self._finding = set()

    def find_spec(self, fullname, path=None, target=None):
        patch = self._patches.get(fullname)
        if patch is None or fullname in self._finding:
            return None
        self._finding.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        except (ImportError, AttributeError, ValueError):
            return None
        finally:
            self._finding.discard(fullname)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _guarded(patch, module)

            try:
                spec.loader.exec_module = exec_module
            except AttributeError:
                return None
        return spec


_noted = set()


def _guarded(function, *arguments):
    """Calls a function of this hook. An error is printed once per function, and never reaches the program."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001
        if function.__name__ not in _noted:
            _noted.add(function.__name__)
            sys.stderr.write("[trawl] could not forward metrics (%s): %r\n" % (function.__name__, error))
        return None


def _number(value):
    """Returns the only number in a value, such as a scalar of NumPy, PyTorch, TensorFlow or JAX; otherwise None."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, bytes)):
        return None
    if isinstance(value, (int, float)):
        return value
    size = getattr(value, "size", None)
    count = getattr(value, "numel", None)
    if callable(count):
        size = count()
    if isinstance(size, int) and size != 1:
        return None
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if hasattr(value, "__float__"):
        return float(value)
    return None


def _numbers(data):
    """Returns the numbers of a mapping. Nested mappings stay nested, and other values are omitted."""
    numbers = {}
    for name, value in data.items():
        name = str(name)
        if name.startswith("_"):
            continue
        if isinstance(value, collections.abc.Mapping):
            # A mapping with "_type" describes an image, a table or another file. Its numbers are not metrics.
            inner = {} if "_type" in value else _numbers(value)
            if inner:
                numbers[name] = inner
            continue
        number = _number(value)
        if number is not None:
            numbers[name] = number
    return numbers


def _axis(values):
    """Returns the name of the value that gives the step of a line, such as ``Epoch``; None if there is none."""
    for kind in ("epoch", "step"):
        if kind in values:
            return kind
        for name in values:
            if name.strip().lower() == kind:
                return name
    return None


def _leaves(values, prefix=""):
    """Yields the names and numbers of nested mappings. Nested names are joined with dots."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, prefix + name + ".")
        else:
            yield prefix + name, value


class _Summaries:
    """Computes the values that ``define_metric(name, summary="min")`` puts into W&B's summary as ``name.min``."""

    _CHOICES = {"min": min, "max": max}

    def __init__(self):
        self._rules = {}
        self._values = {}
        self._counts = {}

    def define(self, name, summary, goal):
        operations = {}
        for word in str(summary).lower().split(","):
            word = word.strip()
            if word in ("min", "max", "mean"):
                operations[word] = word
            elif word == "best" and goal in ("minimize", "maximize"):
                operations[word] = goal[:3]
        self._rules[str(name)] = operations

    def after(self, values):
        """Updates the summaries with the numbers in a line. Returns the summaries of these numbers."""
        changed = {}
        for name, value in _leaves(values):
            for word, operation in self._rule(name).items():
                if value != value:
                    continue
                key = "%s.%s" % (name, word)
                count = self._counts.get(key, 0)
                before = self._values.get(key, value)
                if operation == "mean":
                    before += (value - before) / (count + 1)
                else:
                    before = self._CHOICES[operation](before, value)
                self._counts[key] = count + 1
                self._values[key] = changed[key] = before
        return changed

    def _rule(self, name):
        if name in self._rules:
            return self._rules[name]
        matching = [pattern for pattern in self._rules if pattern.endswith("*") and name.startswith(pattern[:-1])]
        return self._rules[max(matching, key=len)] if matching else {}


def _report(step, values):
    """Appends one line. With a single write in append mode, lines of several processes do not mix."""
    import json

    if not values:
        return
    line = {} if step is None or _axis(values) is not None else {"step": step}
    line.update(values)
    encoded = (json.dumps(line) + "\n").encode("utf-8")
    descriptor = os.open(os.environ["TRAWL_METRICS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, encoded)
    finally:
        os.close(descriptor)


def _replace(owner, name, make):
    """Replaces a method with a wrapper of the method."""
    import functools

    original = getattr(owner, name, None)
    if original is None or getattr(original, "_trawl", False):
        return
    replacement = functools.wraps(original)(make(original))
    replacement._trawl = True
    setattr(owner, name, replacement)


def _patch_wandb(module):
    import atexit
    import functools

    run_class = module.Run
    logged = {}

    def record_of(run):
        if id(run) not in logged:
            if not logged:
                # atexit runs the newest handler first. This handler is newer than W&B's handlers, so it runs first.
                atexit.register(forward_open_summaries)
            logged[id(run)] = {
                "run": run,
                "step": 0,
                "values": {},
                "summaries": _Summaries(),
                "closed": False,
                "commit": None,
            }
        return logged[id(run)]

    def forward(run, step, data, commit):
        values = _numbers(data)
        seen = record_of(run)
        values.update(seen["summaries"].after(values))
        _report(step, values)
        seen["commit"] = commit
        seen["step"] = max(seen["step"], step or 0)
        seen["values"].update(values)

    def forward_summary(run):
        seen = record_of(run)
        if seen["closed"]:
            return
        seen["closed"] = True
        if seen["commit"] is not None:
            # Commits the last row now, because the summary omits an uncommitted row, and W&B would commit this row only
            # when the run finishes.
            seen["commit"]({}, commit=True)
        summary = _numbers(run.summary._as_dict())
        news = {name: value for name, value in summary.items() if seen["values"].get(name) != value}
        if news:
            line = {"step": seen["step"]}
            # The summary also contains the step metric, which is not a new value.
            axis = _axis(seen["values"])
            if axis is not None:
                line = {axis: seen["values"][axis]}
            line.update({name: value for name, value in news.items() if name not in (axis, "epoch", "step")})
            _report(None, line)

    def log(original):
        def log(self, data, step=None, *arguments, **options):
            current = step
            if current is None:
                current = _guarded(_current_step, self)
            result = original(self, data, step, *arguments, **options)
            if isinstance(data, collections.abc.Mapping):
                commit = options.get("commit", arguments[0] if arguments else None)
                is_open = step is not None if commit is None else not commit
                _guarded(forward, self, current, data, functools.partial(original, self) if is_open else None)
            return result

        return log

    def define_metric(original):
        def define_metric(self, name, *arguments, **options):
            result = original(self, name, *arguments, **options)
            summary = options.get("summary", arguments[3] if len(arguments) > 3 else None)
            if summary is not None:
                _guarded(record_of(self)["summaries"].define, name, summary, options.get("goal"))
            return result

        return define_metric

    def on_start(original):
        def _on_start(self, *arguments, **options):
            result = original(self, *arguments, **options)
            _guarded(record_of, self)
            return result

        return _on_start

    def finish(original):
        def finish(self, *arguments, **options):
            _guarded(forward_summary, self)
            return original(self, *arguments, **options)

        return finish

    def forward_open_summaries():
        for seen in list(logged.values()):
            _guarded(forward_summary, seen["run"])

    _replace(run_class, "log", log)
    _replace(run_class, "define_metric", define_metric)
    _replace(run_class, "finish", finish)
    _replace(run_class, "_on_start", on_start)


def _current_step(run):
    return int(run.step)


def _patch_mlflow(module):
    def log_metric(original):
        def log_metric(self, run_id, key, value, timestamp=None, step=None, *arguments, **options):
            result = original(self, run_id, key, value, timestamp, step, *arguments, **options)
            _guarded(_report, step, _numbers({key: value}))
            return result

        return log_metric

    def log_batch(original):
        def log_batch(self, run_id, metrics=(), *arguments, **options):
            result = original(self, run_id, metrics, *arguments, **options)
            for metric in metrics or ():
                _guarded(_report, metric.step, _numbers({metric.key: metric.value}))
            return result

        return log_batch

    _replace(module.MlflowClient, "log_metric", log_metric)
    _replace(module.MlflowClient, "log_batch", log_batch)


def _patch_tensorboard(module):
    counts = {}

    def forward(values, step):
        number = None if step is None else _number(step)
        if number is None:
            for name in values:
                counts[name] = counts.get(name, -1) + 1
                number = counts[name]
        _report(number, _numbers(values))

    def add_scalar(original):
        def add_scalar(self, tag, scalar_value, global_step=None, *arguments, **options):
            result = original(self, tag, scalar_value, global_step, *arguments, **options)
            _guarded(forward, {tag: scalar_value}, global_step)
            return result

        return add_scalar

    def add_scalars(original):
        def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, *arguments, **options):
            result = original(self, main_tag, tag_scalar_dict, global_step, *arguments, **options)
            named = {"%s/%s" % (main_tag, tag): value for tag, value in tag_scalar_dict.items()}
            _guarded(forward, named, global_step)
            return result

        return add_scalars

    _replace(module.SummaryWriter, "add_scalar", add_scalar)
    _replace(module.SummaryWriter, "add_scalars", add_scalars)


_PATCHES = {
    "wandb": {"wandb.sdk.wandb_run": _patch_wandb},
    "mlflow": {"mlflow.tracking.client": _patch_mlflow},
    "tensorboard": {
        "torch.utils.tensorboard.writer": _patch_tensorboard,
        "tensorboardX.writer": _patch_tensorboard,
    },
}


def _run_next_sitecustomize():
    """Runs the sitecustomize module that Python would have found without this folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or os.getcwd()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_guarded(_install)
_run_next_sitecustomize()
