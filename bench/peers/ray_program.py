"""Runs trials with Ray Tune: a function trainable, one CPU per trial, and a local Ray with one CPU per slot."""

import os
from pathlib import Path

# Without these loggers, a trial writes no files of its own.
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
import trial
from ray import tune

given = trial.settings()
progress = trial.Progress()


def trainable(config):
    tune.report({"loss": trial.run(given, config["point"])})


class CountFinished(tune.Callback):
    def on_trial_complete(self, iteration, trials, trial, **info):
        progress.add()


ray.init(num_cpus=given["slots"], include_dashboard=False, log_to_driver=False, configure_logging=False)
trial.ready()
experiment = Path(given["folder"]) / "experiment"
if given["resume"]:
    tuner = tune.Tuner.restore(str(experiment), trainable=trainable, restart_errored=True)
else:
    tuner = tune.Tuner(
        trainable,
        param_space={"point": tune.grid_search(trial.points(given))},
        tune_config=tune.TuneConfig(reuse_actors=given["variant"] == "reused actors"),
        run_config=tune.RunConfig(
            name=experiment.name,
            storage_path=str(experiment.parent),
            failure_config=tune.FailureConfig(max_failures=2),
            callbacks=[CountFinished()],
            verbose=0,
        ),
    )
results = tuner.fit()
trial.send(end=True)
trial.send(points=[result.config["point"] for result in results if result.error is None and result.metrics])
