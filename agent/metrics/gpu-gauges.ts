import type { GpuFigures } from '../machine/gpu-figures.ts';
import type { AgentMetrics } from './families.ts';

/** Tells the GPUs' figures, and of a GPU that has none at present no old ones. */
export function setGpuGauges(agent: string, { gpu: gauges }: AgentMetrics, figures: readonly GpuFigures[]): void {
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
}
