/**
 * Runs programs that log with MLflow, PyTorch's SummaryWriter or tensorboardX, and checks that Hydra's own parser
 * accepts the arguments that trawl passes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { testFolder } from '../support/folder.ts';
import { activate, INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { hasTool, runTool } from '../support/tool.ts';
import { type SweptProgram, showTrial, startSweep, sweep, untilBothReported } from './sweep.ts';

const SWEEP_LIMIT_MS = 600_000;

/** A recent version of MLflow. With TRAWL_FRAMEWORKS=all, also a release of the previous major version. */
const MLFLOW_VERSIONS = ['3.17.2', ...(process.env.TRAWL_FRAMEWORKS === 'all' ? ['2.18.0'] : [])];

/** The program waits after the first epoch until the test has seen the metrics of this epoch. */
const WAIT = `
def wait(epoch):
    while epoch == 0 and not os.path.exists(os.environ["GO"]):
        time.sleep(0.1)
`;

const MLFLOW = `
import os
import sys
import time

import mlflow

${WAIT}
mlflow.set_tracking_uri("file:" + os.environ["TRAWL_DIR"] + "/mlruns")
mlflow.set_experiment("digits")
with mlflow.start_run():
    mlflow.log_param("lr", float(sys.argv[1]))
    for epoch in range(3):
        mlflow.log_metric("loss", float(sys.argv[1]) / (epoch + 1), step=epoch)
        mlflow.log_metrics({"accuracy": epoch / 4, "f1": epoch / 8}, step=epoch)
        wait(epoch)
`;

const WRITER = `
import importlib
import os
import sys
import time

import numpy

${WAIT}
os.chdir(os.environ["TRAWL_ARTIFACTS"])
writer = importlib.import_module(sys.argv[1]).SummaryWriter()
for epoch in range(3):
    writer.add_scalar("loss", numpy.float32(1 / 2**epoch), epoch)
    writer.add_scalars("accuracy", {"train": epoch / 4, "val": epoch / 8}, global_step=epoch)
    writer.flush()
    wait(epoch)
writer.close()
`;

const HYDRA = `
import json

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    values = {
        "db": {"mysql": 3306, "postgres": 5432}[cfg.db.name],
        "lr": cfg.optimizer._lr,
        "is_float": int(isinstance(cfg.optimizer._lr, float)),
        "added": cfg.added.deep,
        "forced": cfg.forced,
        "has_removed": int("removed" in cfg),
        "last_layer": cfg.layers[-1],
        "inner": cfg.mapping.inner,
        "is_none": int(cfg.nothing is None),
        "flag": int(cfg.flag is True),
        "words": len(cfg.text.split()),
    }
    print(json.dumps({"step": 1, **values}))


if __name__ == "__main__":
    main()
`;
const HYDRA_FILES = {
  'config.yaml':
    'defaults: [{db: mysql}, _self_]\noptimizer: {_lr: 1.0}\nremoved: 1\nlayers: [1]\nmapping: {inner: 0}\nnothing: 1\nflag: false\ntext: a\n',
  'db/mysql.yaml': 'name: mysql\n',
  'db/postgres.yaml': 'name: postgres\n',
};

function programFolder(files: Readonly<Record<string, string>>): string {
  const folder = testFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Runs a sweep. Each program waits until the test has seen the metric of its trial. */
async function sweepLive(text: string, workdir: string, metric: string): Promise<SweptProgram> {
  const go = join(workdir, 'go');
  vi.stubEnv('GO', go);
  const running = startSweep(text, workdir);
  const live = await untilBothReported(running.dir, metric);
  expect(live.map(({ state }) => state)).toEqual(['running', 'running']);
  writeFileSync(go, '');
  const swept = await running.ended;
  expect(swept.result, swept.stderr).toMatchObject({ state: 'finished', counts: { succeeded: 2 }, warnings: [] });
  return swept;
}

async function curvesOf({ dir }: SweptProgram, trial: TrialJson | undefined) {
  const { reports } = await showTrial(dir, trial);
  return reports.map(({ epoch, metrics }) => ({ epoch, ...metrics }));
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(!hasTool('python3'))('loggers', { timeout: SWEEP_LIMIT_MS }, () => {
  describe.each(MLFLOW_VERSIONS)('mlflow %s', (version) => {
    let programs: string;

    beforeAll(async () => {
      programs = await pythonEnvironment(`mlflow-skinny==${version}\n`);
    }, INSTALL_LIMIT_MS);

    test('metrics that a program logs to MLflow are reported while the program runs', async () => {
      activate(programs);
      const swept = await sweepLive(
        `command: [python3, train.py, "\${param:lr}"]\nreport: {hook: [mlflow]}\nenv: {MLFLOW_ALLOW_FILE_STORE: "true"}\n` +
          'metric: {name: loss, goal: minimize}\nparameters: {lr: {values: [3, 6]}}\n',
        programFolder({ 'train.py': MLFLOW }),
        'f1',
      );
      expect(swept.result.trials.map(({ rank, parameters }) => [rank, parameters.lr])).toEqual([
        [1, 3],
        [2, 6],
      ]);
      expect(await curvesOf(swept, swept.result.trials[0])).toEqual([
        { epoch: 0, loss: 3, accuracy: 0, f1: 0 },
        { epoch: 1, loss: 1.5, accuracy: 0.25, f1: 0.125 },
        { epoch: 2, loss: 1, accuracy: 0.5, f1: 0.25 },
      ]);
    });
  });

  describe('SummaryWriter', () => {
    const SWEEP =
      `command: [python3, train.py, "\${param:module}"]\nmetric: {name: loss, goal: minimize}\n` +
      'parameters: {module: {values: [torch.utils.tensorboard, tensorboardX]}}\n';
    let programs: string;

    beforeAll(async () => {
      programs = await pythonEnvironment('torch==2.15.0\nnumpy==2.4.6\ntensorboard==2.21.0\ntensorboardX==2.6.5\n');
      // The first import compiles thousands of modules, which must not count against the time limit of a test.
      runTool(join(programs, 'python3'), ['-c', 'import torch.utils.tensorboard, tensorboardX']);
    }, INSTALL_LIMIT_MS);

    test('scalars from the writers of PyTorch and tensorboardX are forwarded while the program runs', async () => {
      activate(programs);
      const swept = await sweepLive(
        `${SWEEP}report: {hook: [tensorboard]}\n`,
        programFolder({ 'train.py': WRITER }),
        'accuracy/val',
      );
      for (const trial of swept.result.trials) {
        expect(await curvesOf(swept, trial)).toEqual([
          { epoch: 0, loss: 1, 'accuracy/train': 0, 'accuracy/val': 0 },
          { epoch: 1, loss: 0.5, 'accuracy/train': 0.25, 'accuracy/val': 0.125 },
          { epoch: 2, loss: 0.25, 'accuracy/train': 0.5, 'accuracy/val': 0.25 },
        ]);
      }
    });

    test('event files in runs/DATE_HOST are read while the program runs, and metrics of different runs are not mixed', async () => {
      activate(programs);
      const swept = await sweepLive(
        `${SWEEP}report: {tfevents: "\${artifacts}/runs"}\n`,
        programFolder({ 'train.py': WRITER }),
        'loss',
      );
      for (const trial of swept.result.trials) {
        const isTorch = trial.parameters.module === 'torch.utils.tensorboard';
        const [train, val] = isTorch
          ? (['accuracy_train/accuracy', 'accuracy_val/accuracy'] as const)
          : (['accuracy/train/accuracy', 'accuracy/val/accuracy'] as const);
        expect(await curvesOf(swept, trial)).toEqual([
          { epoch: 0, loss: 1, [train]: 0, [val]: 0 },
          { epoch: 1, loss: 0.5, [train]: 0.25, [val]: 0.125 },
          { epoch: 2, loss: 0.25, [train]: 0.5, [val]: 0.25 },
        ]);
      }
    });
  });

  describe('Hydra', () => {
    let programs: string;

    beforeAll(async () => {
      programs = await pythonEnvironment('hydra-core==1.3.8\n');
    }, INSTALL_LIMIT_MS);

    test("the parser of Hydra accepts parameter names in Hydra's notation, and values of every type", async () => {
      activate(programs);
      const files = Object.entries(HYDRA_FILES).map(([name, text]) => [`conf/${name}`, text]);
      const { result, stderr } = await sweep(
        `command: [python3, train.py, "\${args_no_hyphens}", "hydra.run.dir=\${artifacts}"]\nmetric: {name: lr}\nretry: {crash: 0}\nparameters:\n` +
          '  db: {values: [mysql, postgres]}\n  optimizer._lr: {value: 1.0}\n  +added.deep: {value: 2}\n' +
          '  ++forced: {value: 1.0e-7}\n  ~removed: {value: 1}\n  layers: {value: [64, 32]}\n  mapping: {value: "{inner: 5}"}\n' +
          '  nothing: {value: "null"}\n  flag: {value: true}\n  text: {value: three short words}\n',
        programFolder({ 'train.py': HYDRA, ...Object.fromEntries(files) }),
      );
      expect(result, stderr).toMatchObject({ state: 'finished', counts: { succeeded: 2 }, warnings: [] });
      const common = { lr: 1, is_float: 1, added: 2, forced: 1e-7, has_removed: 0, last_layer: 32, inner: 5 };
      const others = { is_none: 1, flag: 1, words: 3 };
      for (const { metrics, parameters } of result.trials) {
        expect(metrics).toEqual({ ...common, ...others, db: parameters.db === 'mysql' ? 3306 : 5432 });
      }
    });
  });
});
