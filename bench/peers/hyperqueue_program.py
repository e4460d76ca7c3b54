"""Runs trials as the tasks of one HyperQueue job: one process per task, and a worker with one CPU per slot.

The server and the worker run in this process, as `LocalCluster` of HyperQueue's Python package starts them.
"""

from pathlib import Path

import trial
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

given = trial.settings()
autoencoder = str(Path(__file__).with_name("autoencoder.py"))


def command(point):
    if given["work"] == "sleep":
        return ["sleep", f"{trial.SLEEP_S}"]
    if given["work"] == "train":
        return [given["python"], autoencoder, f"{point}", given["images"]]
    return ["true"]


cluster = LocalCluster(f"{given['folder']}/server", WorkerConfig(cores=given["slots"]))
client = cluster.client()
trial.ready()

job = Job(max_fails=None, default_workdir=given["folder"])
for point in trial.points(given):
    job.program(command(point), stdout=None, stderr=None)
submitted = client.submit(job)
client.connection.wait_for_jobs(
    [submitted.id],
    lambda jobs: trial.send(finished=sum(state["finished"] for state in jobs.values())),
)
trial.send(end=True)
failed = client.get_failed_tasks(submitted)
trial.send(points=[point for task, point in enumerate(trial.points(given)) if task not in failed])
