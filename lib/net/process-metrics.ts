/** What coordinator and agents tell of their own process: prom-client's defaults, without those of no use here. */
import { collectDefaultMetrics, type Registry } from 'prom-client';

/**
 * `_total` gauges are against Prometheus' naming rules; the others are many series that answer no question which the
 * event loop's lag and the heap's size do not.
 */
const LEFT_OUT =
  /^(nodejs_(active_(resources|handles|requests).*|heap_space_.*|external_memory_bytes|gc_duration_seconds|eventloop_lag_((min|max|mean|stddev|p50|p90)_)?seconds)|process_(heap|virtual_memory)_bytes)$/;

export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) if (LEFT_OUT.test(name)) registry.removeSingleMetric(name);
}
