"""Runs trials with Optuna: one process per slot, all on one storage, with GridSampler.

GridSampler stops each process when all points have ended. If `log` is given, a worker process that was killed is
replaced. Its trial is retried if the storage supports heartbeats (the databases do, the journal file does not).
"""

import multiprocessing
import os
import threading
from pathlib import Path

import optuna
import trial
from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

STUDY = "peers"
given = trial.settings()
optuna.logging.set_verbosity(optuna.logging.ERROR)


def storage():
    if given["variant"] == "journal":
        return JournalStorage(JournalFileBackend(str(Path(given["folder"]) / "journal.log")))
    url = given["database"] or f"sqlite:///{given['folder']}/optuna.db"
    if given["log"] is None:
        return RDBStorage(url)
    return RDBStorage(
        url,
        heartbeat_interval=1,
        grace_period=3,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
    )


def objective(current):
    return trial.run(given, current.suggest_int("point", 1, given["trials"]))


def work(ended):
    Path("/proc/self/comm").write_text("optuna-worker")
    sampler = optuna.samplers.GridSampler({"point": trial.points(given)})
    study = optuna.load_study(study_name=STUDY, storage=storage(), sampler=sampler)
    study.optimize(objective, callbacks=[lambda *_: os.write(ended, b".")])


def count_ended(readable):
    progress = trial.Progress()
    while data := os.read(readable, 4096):
        progress.add(len(data))


optuna.create_study(study_name=STUDY, storage=storage(), load_if_exists=True)
readable, ended = os.pipe()
threading.Thread(target=count_ended, args=[readable], daemon=True).start()
# A worker process is a copy of this process, which has already imported Optuna.
fork = multiprocessing.get_context("fork")
trial.ready()
workers = [fork.Process(target=work, args=[ended]) for _ in range(given["slots"])]
for worker in workers:
    worker.start()
failures = 0
for worker in workers:
    worker.join()
    if worker.exitcode != 0:
        failures += 1
        if worker.exitcode < 0 and given["log"]:
            workers.append(fork.Process(target=work, args=[ended]))
            workers[-1].start()
trial.send(end=True)
complete = optuna.load_study(study_name=STUDY, storage=storage()).get_trials(states=[TrialState.COMPLETE])
note = f"{failures} of {len(workers)} processes ended with an error" if failures and not given["log"] else None
trial.send(points=[each.params["point"] for each in complete], note=note)
