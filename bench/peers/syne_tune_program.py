"""Runs trials with Syne Tune: LocalBackend, one process per trial, at most one per slot, in the order of the points.

    python syne_tune_program.py SETTINGS       the tuner
    python syne_tune_program.py --point POINT  a trial, as LocalBackend starts it, with the settings in PEERS_SETTINGS
"""

import argparse
import json
import os
import sys
from pathlib import Path

import trial

NAME = "peers"
# The default interval, 5 s, is longer than a trial.
SLEEP_S = 0.02
SAVE_EVERY_S = 1


def run_trial():
    from syne_tune import Reporter

    parser = argparse.ArgumentParser()
    parser.add_argument("--point", type=int)
    given, _ = parser.parse_known_args()
    Reporter()(loss=trial.run(json.loads(os.environ["PEERS_SETTINGS"]), given.point))


def run_tuner():
    given = trial.settings()
    # Syne Tune writes the file std.out into the working folder.
    os.chdir(given["folder"])
    os.environ["SYNETUNE_FOLDER"] = given["folder"]
    os.environ["PEERS_SETTINGS"] = json.dumps(given)

    import logging

    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.backend.trial_status import Status
    from syne_tune.config_space import randint
    from syne_tune.optimizer.baselines import RandomSearch
    from syne_tune.tuner_callback import TunerCallback

    logging.disable(logging.WARNING)
    # The tuner prints its progress to stdout.
    sys.stdout = open(os.devnull, "w")
    progress = trial.Progress()

    class CountFinished(TunerCallback):
        def on_trial_complete(self, trial, result):
            progress.add()

    trial.ready()
    folder = Path(given["folder"]) / NAME
    if given["resume"]:
        tuner = Tuner.load(str(folder))
    else:
        scheduler = RandomSearch(
            config_space={"point": randint(1, given["trials"])},
            metrics=["loss"],
            points_to_evaluate=[{"point": point} for point in trial.points(given)],
        )
        tuner = Tuner(
            trial_backend=LocalBackend(entry_point=__file__),
            scheduler=scheduler,
            stop_criterion=StoppingCriterion(max_num_trials_started=given["trials"] - 1),
            n_workers=given["slots"],
            sleep_time=SLEEP_S,
            results_update_interval=SAVE_EVERY_S,
            max_failures=given["trials"],
            wait_trial_completion_when_stopping=True,
            callbacks=[CountFinished()],
            tuner_name=NAME,
            suffix_tuner_name=False,
        )
    tuner.run()
    trial.send(end=True)
    results = tuner.tuning_status.trial_rows.values()
    complete = [row["point"] for row in results if row["status"] == Status.completed]
    trial.send(points=complete)


if "--point" in sys.argv:
    run_trial()
else:
    run_tuner()
