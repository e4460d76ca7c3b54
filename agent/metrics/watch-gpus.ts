/** Keeps the GPUs' figures up to date beside the scrapes: nvidia-smi takes up to a second to answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { gpuFigures } from '../machine/gpu-figures.ts';
import type { AgentMetrics } from './families.ts';

const LOOK_MS = 10_000;

export async function watchGpus(agent: string, { gpu: gauges }: AgentMetrics, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const figures = await gpuFigures();
    // Where there is no answer there are no figures, rather than old ones.
    for (const gauge of Object.values(gauges)) gauge.reset();
    for (const { index, ...one } of figures) {
      const labels = { agent, gpu: `${index}` };
      const told = [
        [gauges.utilization, one.utilization],
        [gauges.memoryUsed, one.memoryUsedBytes],
        [gauges.memoryTotal, one.memoryTotalBytes],
        [gauges.temperature, one.temperatureCelsius],
        [gauges.power, one.powerWatts],
      ] as const;
      for (const [gauge, value] of told) if (value !== undefined) gauge.set(labels, value);
    }
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}
