/** Counts the Prometheus series of a busy cluster. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { GpuWatch } from '../../agent/machine/gpus.ts';
import { startAgentPages } from '../../agent/metrics/agent-pages.ts';
import { busyCluster } from '../support/coordinator/busy-cluster.ts';
import { newFolder } from '../support/coordinator/serve.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

const AGENTS = 20;
const BUSY = {
  sweeps: 10,
  trialsPerSweep: 1_000,
  agents: AGENTS,
  gpusPerAgent: 4,
  run: 1_000,
  metrics: ['test_loss', 'train_loss', 'train_total_loss', 'last_batch_loss', 'psnr', 'psnr_peak1', 'psnr_input'],
  trialMetrics: false,
};
const BUDGET = 1_700;

const seriesOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;

test('with 10 live sweeps of 1,000 trials each, the coordinator and 20 agents with 4 GPUs each have fewer than 1,700 series in total', async () => {
  const cluster = await busyCluster(newFolder(), BUSY);
  onTestFinished(() => cluster.stop());
  const text = await cluster.scrape();
  expect(text).toContain('trawl_sweeps{state="running"} 10');
  expect(text).toContain(`trawl_agents{state="connected"} ${AGENTS}`);
  // The number of sweeps whose remaining time is already estimated depends on the speed of the machine. Therefore, the
  // test counts one more series for each sweep without an estimate.
  const withoutEstimate = BUSY.sweeps - [...text.matchAll(/^trawl_eta_seconds\{/gm)].length;
  const ofCoordinator = seriesOf(text) + withoutEstimate;
  const ofAgent = seriesOf(await scrapeAgentOfFourGpus());
  console.log(`series: coordinator ${ofCoordinator}, each agent ${ofAgent}`);
  expect(ofCoordinator + AGENTS * ofAgent).toBeLessThan(BUDGET);
});

test('with --trial-metrics, the running trials and the best 50 trials of each sweep have series', async () => {
  const cluster = await busyCluster(newFolder(), { ...BUSY, trialMetrics: true });
  onTestFinished(() => cluster.stop());
  const epochs = [...(await cluster.scrape()).matchAll(/^trawl_trial_epoch\{sweep="(\d+)"/gm)].map(
    ([, sweep]) => sweep,
  );
  const running = cluster.served.runtime.core.leases.size;
  expect(running).toBeGreaterThan(0);
  expect(epochs).toHaveLength(running + 50 * BUSY.sweeps);
  expect(new Set(epochs).size).toBe(BUSY.sweeps);
});

/** Returns the metrics of an agent whose nvidia-smi is a program that prints the figures of four GPUs. */
async function scrapeAgentOfFourGpus(): Promise<string> {
  const folder = testFolder();
  const path = process.env.PATH;
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const lines = [0, 1, 2, 3].map((index) => `${index}, 97, 61234, 81559, 64, 612.31\\n`).join('');
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\nprintf '${lines}'\n`);
  chmodSync(join(bin, 'nvidia-smi'), 0o755);
  process.env.PATH = `${bin}:${path}`;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  const watch = new GpuWatch();
  onTestFinished(() => watch.stop());
  const pages = await startAgentPages({
    at: { host: '127.0.0.1', port: 0 },
    agentId: 'agent-0',
    certificateExpires: undefined,
    version: '0',
    dir: folder,
    dataDir: folder,
    auth: undefined,
    identity: undefined,
    log: pino({ level: 'silent' }),
    gpuFigures: () => watch.figures,
    spooled: () => 0,
    unreadyReason: () => undefined,
  });
  onTestFinished(() => pages.stop());
  const scrape = async () => (await fetch(`http://${pages.advertised}/metrics`)).text();
  return until('the metrics of the GPUs and of the data set cache are exported', async () => {
    const text = await scrape();
    const isComplete = text.includes('trawl_agent_gpu_power_watts{') && text.includes('trawl_dataset_cache_bytes{');
    return isComplete && text;
  });
}
