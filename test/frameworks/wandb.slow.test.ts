/**
 * Runs unchanged W&B programs and sweep files with the newest version of W&B, and with a version that is two years old.
 * With TRAWL_FRAMEWORKS=all, also with a version that is one year old.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { activate, INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { hasTool, runTool } from '../support/tool.ts';
import { trawl } from '../support/trawl.ts';
import { showTrial, startSweep, sweep, untilBothReported } from './sweep.ts';

const ALL = process.env.TRAWL_FRAMEWORKS === 'all';
const VERSIONS = ['0.31.0', ...(ALL ? ['0.23.0'] : []), '0.18.7'];
/** Whether all checks run with the given version of W&B. By default, some checks run only with the newest version. */
const isChecked = (version: string) => version === VERSIONS[0] || ALL;
const SWEEP_LIMIT_MS = 600_000;

const TRAIN = `
import os
import time

import wandb

run = wandb.init(config={"lr": 0.5, "name": "default"})
wandb.define_metric("val_loss", summary="min")
config = wandb.config
os.makedirs(str(config.lr))
os.chdir(str(config.lr))
with open("notes.txt", "w") as file:
    file.write(f"{config.lr} {config['name']} {os.environ.get('OWN_SITECUSTOMIZE')}")
wandb.save("notes.txt")
for step in range(4):
    wandb.log({"train": {"loss": 1 / (step + 1)}}, commit=False)
    wandb.log({"val_loss": config.lr * (abs(step - 2) + 1), "note": "text", "_private": 1})
    while step == 0 and not os.path.exists(os.environ["GO"]):
        time.sleep(0.1)
wandb.log({"late": 7, "val_loss": config.lr / 2}, step=10)
run.summary["final"] = 5 * config.lr
`;

const SWEEP = `
program: train.py
project: live
method: grid
metric: {name: val_loss, goal: minimize}
retry: {crash: 0}
parameters:
  lr: {values: [0.25, 1.0e-7]}
  name: {value: "on"}
`;

/**
 * A program that imports W&B while a flag of Python (`-I`, `-S` or `-E`) disables trawl's import hook. The program adds
 * the packages of the environment to its path itself, because `-S` leaves them out.
 */
const WITHOUT_HOOK = `
import sys

sys.path.append(sys.argv[1])
import wandb

run = wandb.init()
for epoch in range(1, 4):
    wandb.log({"epoch": epoch, "loss": wandb.config.lr / epoch, "inner": {"x": epoch}})
run.summary["final"] = 1.5
run.finish()
`;

/** The program runs as two processes (ranks), which both call wandb.init. */
const RANKS = `
import multiprocessing

import wandb


def rank(number):
    run = wandb.init(group="ranks")
    for step in range(3):
        wandb.log({f"loss_{number}": wandb.config.lr * (step + 1), "loss" if number == 0 else "other": step + 1}, step=step)
    run.finish()


if __name__ == "__main__":
    ranks = [multiprocessing.get_context("spawn").Process(target=rank, args=(number,)) for number in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    raise SystemExit(max(process.exitcode for process in ranks))
`;

function programFolder(text: string): string {
  const folder = testFolder();
  writeFileSync(join(folder, 'train.py'), text);
  return folder;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(!hasTool('python3')).each(VERSIONS)('wandb %s', { timeout: SWEEP_LIMIT_MS }, (version) => {
  let programs: string;
  let packages: string;

  beforeAll(async () => {
    programs = await pythonEnvironment(`wandb==${version}\n`);
    const path = ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'];
    packages = runTool(join(programs, 'python3'), path).stdout.trim();
  }, INSTALL_LIMIT_MS);

  test('a W&B sweep and its program run unchanged; logged values arrive live, and the summary and saved files are stored', async () => {
    activate(programs);
    const folder = programFolder(TRAIN);
    const own = join(folder, 'own');
    mkdirSync(own);
    writeFileSync(join(own, 'sitecustomize.py'), 'import os\nos.environ["OWN_SITECUSTOMIZE"] = "yes"\n');
    vi.stubEnv('PYTHONPATH', own);
    vi.stubEnv('GO', join(folder, 'go'));
    const running = startSweep(SWEEP, folder);
    const live = await untilBothReported(running.dir, 'val_loss');
    expect(live.map(({ state }) => state)).toEqual(['running', 'running']);
    expect(live.map(({ metrics }) => metrics['train.loss'])).toEqual([1, 1]);
    writeFileSync(join(folder, 'go'), '');

    const { code, stderr, result, dir } = await running.ended;
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 2 }, warnings: [] });
    expect(result.trials.map(({ rank, parameters }) => [rank, parameters.lr])).toEqual([
      [1, 1e-7],
      [2, 0.25],
    ]);
    const shown = await showTrial(dir, result.trials[1]);
    expect(shown.reports.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 10]);
    expect(shown.reports.slice(0, 4).map(({ metrics }) => metrics)).toEqual([
      { 'train.loss': 1, val_loss: 0.75, 'val_loss.min': 0.75 },
      { 'train.loss': 1 / 2, val_loss: 0.5, 'val_loss.min': 0.5 },
      { 'train.loss': 1 / 3, val_loss: 0.25, 'val_loss.min': 0.25 },
      { 'train.loss': 1 / 4, val_loss: 0.5, 'val_loss.min': 0.25 },
    ]);
    expect(shown.metrics).toMatchObject({ late: 7, final: 1.25, val_loss: 0.125, 'val_loss.min': 0.125 });
    expect(shown.artifacts.map(({ name }) => name)).toContain('wandb/notes.txt');
    const out = join(folder, 'out');
    await trawl('artifacts', 'get', shown.trial, 'wandb/notes.txt', '--dir', dir, '--out', out);
    expect(readFileSync(join(out, 'wandb', 'notes.txt'), 'utf8')).toBe('0.25 on yes');
  });

  test('without the import hook, a warning is shown, and the values are read from the run file of W&B', async () => {
    activate(programs);
    const { result, stderr, dir } = await sweep(
      `program: train.py\ncommand: [python3, "\${param:flag}", "\${program}", "${packages}"]\nproject: x\nmethod: grid\n` +
        'metric: {name: loss, goal: minimize}\nparameters: {flag: {values: [-I, -S, -E]}, lr: {value: 3.0}}\n',
      programFolder(WITHOUT_HOOK),
    );
    expect(result, stderr).toMatchObject({ state: 'finished', counts: { succeeded: 3 } });
    expect(result.warnings).toMatchObject([{ kind: 'hook_not_loaded', count: 3 }]);
    for (const trial of result.trials) {
      expect(trial.metrics).toEqual({ loss: 1, 'inner.x': 3, final: 1.5 });
      const { reports } = await showTrial(dir, trial);
      expect(reports.map(({ epoch, metrics }) => [epoch, metrics.loss])).toEqual([
        [1, 3],
        [2, 1.5],
        [3, 1],
      ]);
    }
  });

  test.runIf(isChecked(version))('the values that several processes of a trial log to W&B are merged', async () => {
    activate(programs);
    const { result, stderr, dir } = await sweep(
      'program: train.py\nproject: x\nmethod: grid\nmetric: {name: loss}\nparameters: {lr: {values: [2.0]}}\n',
      programFolder(RANKS),
    );
    expect(result, stderr).toMatchObject({ state: 'finished', counts: { succeeded: 1 }, warnings: [] });
    const { reports } = await showTrial(dir, result.trials[0]);
    expect(reports.map(({ epoch, metrics }) => ({ epoch, metrics }))).toEqual(
      [0, 1, 2].map((step) => ({
        epoch: step,
        metrics: { loss: step + 1, loss_0: 2 * (step + 1), loss_1: 2 * (step + 1), other: step + 1 },
      })),
    );
  });

  test.runIf(isChecked(version))(
    "if a sweep file sets wandb to online, the user's environment sets the mode and the folder of W&B",
    async () => {
      activate(programs);
      const folder = programFolder(WITHOUT_HOOK);
      const own = join(folder, 'runs');
      mkdirSync(own);
      vi.stubEnv('WANDB_MODE', 'offline');
      vi.stubEnv('WANDB_DIR', own);
      const { result, stderr } = await sweep(
        `program: train.py\ncommand: [python3, "\${program}", "${packages}"]\nproject: x\nmethod: grid\nwandb: online\n` +
          'metric: {name: loss}\nparameters: {lr: {values: [3.0]}}\n',
        folder,
      );
      expect(result, stderr).toMatchObject({ state: 'finished', counts: { succeeded: 1 }, warnings: [] });
      expect(result.trials[0]?.metrics).toEqual({ loss: 1, 'inner.x': 3, final: 1.5 });
      expect(readdirSync(join(own, 'wandb')).filter((name) => name.startsWith('offline-run-'))).toHaveLength(1);
    },
  );
});
