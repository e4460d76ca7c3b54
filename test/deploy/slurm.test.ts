import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { hasTool, runTool } from '../support/tool.ts';
import { environment, TRAWL } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const SCRIPT = join(packageRoot(), 'deploy', 'slurm', 'trawl-agents.sbatch');
const SRUN = `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do shift; done
SLURM_PROCID=0 exec "$@"
`;

test.skipIf(!hasTool('shellcheck'))('shellcheck accepts the Slurm script', () => {
  expect(runTool('shellcheck', [SCRIPT])).toMatchObject({ code: 0, output: '' });
});

/**
 * Starts a cluster. Returns the cluster, and a function that runs the Slurm script. Slurm is not needed:
 * `srun` is the only command of Slurm that the script calls, and a fake replaces it.
 */
async function slurmJob() {
  const folder = testFolder();
  const cluster = await Cluster.start(join(folder, 'cluster'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const [name, text] of [
    ['srun', SRUN],
    ['trawl', `#!/bin/sh\nexec '${process.execPath}' '${TRAWL}' "$@" --slots 1\n`],
  ] as const) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  const start = (variables: Readonly<Record<string, string>>) => {
    const job = spawn('bash', [SCRIPT], {
      env: {
        ...environment(),
        PATH: `${bin}:${process.env.PATH}`,
        TMPDIR: folder,
        SLURM_JOB_ID: '7',
        TRAWL_NATS: cluster.natsUrl,
        TRAWL_SERVER: cluster.address,
        ...variables,
      },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const ended = new Promise<number | null>((resolve) => job.once('exit', resolve));
    onTestFinished(() => void job.kill('SIGKILL'));
    return { job, ended };
  };
  return { cluster, start };
}

test('a Slurm job ends by itself when its agents have no more trials', { timeout: 120_000 }, async () => {
  const { cluster, start } = await slurmJob();
  const { ended } = start({ TRAWL_IDLE_TIMEOUT: '6s' });
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2]}, duration_ms: {value: 3000}}\n';
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(testFolder(), text));
  expect(await ended).toBe(0);
  expect((await cluster.sweep(sweep))?.counts).toMatchObject({ succeeded: 2, failed: 0 });
  await until('the agent has left', async () => {
    const agents = await cluster.agents();
    return agents.some(({ agent, state }) => agent === 'slurm-7-0' && state === 'left');
  });
});

test('when a Slurm job receives SIGTERM, its agents finish their running trials and accept no new trials', {
  timeout: 120_000,
}, async () => {
  const { cluster, start } = await slurmJob();
  const { job, ended } = start({ TRAWL_DRAIN_GRACE: '60s' });
  await until('the agent is connected', async () => {
    const agents = await cluster.agents();
    return agents.some(({ agent }) => agent === 'slurm-7-0');
  });
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2, 3]}, duration_ms: {value: 2000}}\n';
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(testFolder(), text));
  await until('a trial runs', async () => (await cluster.sweep(sweep))?.counts?.running === 1);
  job.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect((await cluster.sweep(sweep))?.counts).toMatchObject({ succeeded: 1, running: 0, failed: 0 });
});
