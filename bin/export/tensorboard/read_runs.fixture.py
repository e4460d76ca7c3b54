"""Prints, as JSON, the scalars that TensorBoard finds in a log folder, and the data that its HParams plugin lists."""

import json
import math
import os
import sys

from tensorboard.backend.event_processing import data_provider, event_accumulator, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

logdir = sys.argv[1]


def finite(value):
    return value if math.isfinite(value) else None


scalars = {}
for run in sorted(name for name in os.listdir(logdir) if os.path.isdir(os.path.join(logdir, name))):
    accumulator = event_accumulator.EventAccumulator(os.path.join(logdir, run))
    accumulator.Reload()
    scalars[run] = {
        tag: [[event.step, event.wall_time, finite(event.value)] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }

multiplexer = plugin_event_multiplexer.EventMultiplexer()
multiplexer.AddRunsFromDirectory(logdir)
multiplexer.Reload()
provider = data_provider.MultiplexerDataProvider(multiplexer, logdir)
backend = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir=logdir))
request = RequestContext()
experiment = backend.experiment_from_metadata(
    request, "", True, backend.hparams_metadata(request, ""), backend.hparams_from_data_provider(request, "", None)
)
wanted = api_pb2.ListSessionGroupsRequest(
    start_index=0,
    slice_size=10_000,
    include_metrics=True,
    allowed_statuses=api_pb2.Status.values(),
    col_params=[api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos],
)
groups = list_session_groups.Handler(request, backend, "", wanted).run().session_groups


def session(group):
    hparams = {name: group.hparams[name].number_value for name in ("latent_dim", "noise_std", "seed")}
    loss = [found.value for found in group.metric_values if found.name.tag == "test_loss"]
    status = api_pb2.Status.Name(group.sessions[0].status)
    return {"status": status, **hparams, "test_loss": loss[0] if loss else None}


print(
    json.dumps(
        {
            "scalars": scalars,
            "hparams": [info.name for info in experiment.hparam_infos],
            "metrics": [info.name.tag for info in experiment.metric_infos],
            "sessions": {group.sessions[0].name: session(group) for group in groups},
        }
    )
)
