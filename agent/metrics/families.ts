/**
 * Defines the Prometheus metrics that an agent exports about itself and its machine (docs/metrics.md). The coordinator
 * exports the metrics of sweeps and trials.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import { addProcessMetrics } from '../../lib/net/http.ts';
import type { GpuFigures } from '../machine/gpus.ts';

export type AgentMetrics = ReturnType<typeof agentMetrics>;

export function agentMetrics() {
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry);
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `trawl_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `trawl_${name}`, help, labelNames: [...labelNames], registers });
  const gpuGauge = (name: string, help: string) => gauge(`agent_gpu_${name}`, help, ['agent', 'gpu']);

  return {
    registry,
    buildInfo: gauge('build_info', 'Always 1. The label is the version of trawl.', ['version']),
    startTime: gauge('start_time_seconds', 'Unix time at which the agent started.'),
    gpu: {
      utilization: gpuGauge('utilization_ratio', 'Share of time in which the GPU computed, 0 to 1.'),
      memoryUsed: gpuGauge('memory_used_bytes', 'Memory of the GPU in use by all processes.'),
      memoryTotal: gpuGauge('memory_total_bytes', 'Total memory of the GPU.'),
      temperature: gpuGauge('temperature_celsius', 'Temperature of the GPU.'),
      power: gpuGauge('power_watts', 'Power draw of the GPU.'),
    },
    datasetHits: counter('dataset_cache_hits_total', 'Number of times a trial found its data set in the cache.', [
      'agent',
    ]),
    datasetMisses: counter('dataset_cache_misses_total', 'Number of times a data set had to be fetched.', ['agent']),
    datasetBytes: gauge('dataset_cache_bytes', 'Size of the data sets in the cache.', ['agent']),
    spooled: gauge('agent_spooled_records', 'Number of records that the coordinator has not acknowledged.', ['agent']),
    diskFree: gauge('agent_disk_free_bytes', "Free space on the disk of the agent's folder.", ['agent']),
    diskSize: gauge('agent_disk_size_bytes', "Size of the disk of the agent's folder.", ['agent']),
    certificateExpiry: gauge(
      'certificate_expiry_timestamp_seconds',
      "Unix time at which the agent's certificate expires.",
    ),
    unreadable: counter('unreadable_messages_total', 'Number of messages that could not be read.', ['via']),
    natsReconnects: counter('nats_reconnects_total', 'Number of reconnects to NATS.', ['component']),
  };
}

/** Sets the gauges of all GPUs. A value that a GPU does not report has no sample. */
export function setGpuGauges(agent: string, { gpu: gauges }: AgentMetrics, figures: readonly GpuFigures[]): void {
  for (const gauge of Object.values(gauges)) gauge.reset();
  for (const { index, ...one } of figures) {
    const samples = [
      [gauges.utilization, one.utilization],
      [gauges.memoryUsed, one.memoryUsedBytes],
      [gauges.memoryTotal, one.memoryTotalBytes],
      [gauges.temperature, one.temperatureCelsius],
      [gauges.power, one.powerWatts],
    ] as const;
    for (const [gauge, value] of samples) if (value !== undefined) gauge.set({ agent, gpu: `${index}` }, value);
  }
}
