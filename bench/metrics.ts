/**
 * Measures what a scrape costs the coordinator, in CPU time and wall time, with ten running sweeps of 1,000 trials on
 * twenty agents with four GPUs each.
 *
 *   npm run bench:metrics
 */
import { cpus } from 'node:os';
import { busyCluster } from '../test/support/coordinator/busy-cluster.ts';
import { newFolder } from '../test/support/coordinator/serve.ts';

const SCRAPES = 200;
const CLUSTER = {
  sweeps: 10,
  trialsPerSweep: 1_000,
  agents: 20,
  gpusPerAgent: 4,
  run: 2_000,
  metrics: ['train_loss', 'train_total_loss', 'last_batch_loss', 'test_loss', 'psnr', 'psnr_peak1', 'psnr_input'],
};

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`);
console.log(`${SCRAPES} scrapes of 10 sweeps of 1,000 trials on 20 agents of 4 GPUs, 7 metrics per report\n`);
console.log('trial metrics   series      bytes        CPU     median  99th of 100');
for (const trialMetrics of [false, true]) {
  const cluster = await busyCluster(newFolder(), { ...CLUSTER, trialMetrics });
  const times: number[] = [];
  let text = '';
  const before = process.cpuUsage();
  for (let at = 0; at < SCRAPES; at++) {
    const begun = performance.now();
    text = await cluster.scrape();
    times.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(before);
  cluster.stop();
  times.sort((a, b) => a - b);
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  const ms = (time: number | undefined) => `${(time ?? Number.NaN).toFixed(2)} ms`.padStart(11);
  console.log(
    `${(trialMetrics ? 'on' : 'off').padEnd(13)} ${`${series}`.padStart(8)} ${`${text.length}`.padStart(10)}` +
      `${ms((user + system) / 1000 / SCRAPES)}${ms(times[SCRAPES * 0.5])}${ms(times[SCRAPES * 0.99])}`,
  );
}
