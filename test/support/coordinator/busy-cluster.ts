/** A coordinator in mid-sweep: sweeps on several agents, with pending, running, succeeded and failed trials. */

import { now } from '../../../coordinator/app/runtime.ts';
import { sweepControl } from '../../../coordinator/app/sweep-control.ts';
import { onHello } from '../../../coordinator/core/agents.ts';
import type { AttemptEnd } from '../../../coordinator/core/attempt-model.ts';
import { type AttemptRecord, onRecord } from '../../../coordinator/core/attempt-records.ts';
import { onOpen } from '../../../coordinator/core/attempts.ts';
import { combine } from '../../../coordinator/core/step.ts';
import { type MetricsCollector, startCollecting } from '../../../coordinator/metrics/collect.ts';
import { initializeCallSeries } from '../../../coordinator/metrics/grpc-calls.ts';
import type { AttemptKey } from '../../../lib/domain/attempt-key.ts';
import { ArtifactServiceService } from '../../../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { OperationsServiceService } from '../../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import { agentHello } from './sample-core.ts';
import { noopSweep, type Served, serve } from './serve.ts';

export interface BusyOptions {
  readonly sweeps: number;
  readonly trialsPerSweep: number;
  readonly agents: number;
  readonly gpusPerAgent: number;
  /** The total number of trials to start in all sweeps. The other trials remain pending. */
  readonly run: number;
  readonly metrics: readonly string[];
  readonly trialMetrics: boolean;
  /** How long the series of a sweep are exported after the sweep has ended. Default: the production value. */
  readonly lingerMs?: number;
}

export interface BusyCluster {
  readonly served: Served;
  readonly collecting: MetricsCollector;
  /** Scrapes the metrics once, and returns them as text. */
  scrape(): Promise<string>;
  stop(): void;
}

const EPOCHS = 3;

/** @param dir see `serve` */
export async function busyCluster(dir: string, options: BusyOptions): Promise<BusyCluster> {
  const served = await serve(dir);
  const { runtime, metrics } = served;
  const onError = (error: unknown) => served.broken.push(error);
  const collecting = startCollecting(runtime, metrics, { ...options, version: '0', onError });
  initializeCallSeries(metrics, [
    SweepServiceService,
    ArtifactServiceService,
    AttemptServiceService,
    OperationsServiceService,
  ]);
  const gpus = Array.from({ length: options.gpusPerAgent }, () => 'NVIDIA H100 80GB HBM3');
  const ids = Array.from({ length: options.agents }, (_, at) => `agent-${at}`);
  for (const id of ids) onHello(runtime.core, { ...agentHello(id, 'i', options.gpusPerAgent), gpus }, now());
  const control = sweepControl(runtime);
  for (let at = 0; at < options.sweeps; at++) {
    const text = noopSweep(options.trialsPerSweep, `concurrency: ${Math.ceil(slotsOf(options) / options.sweeps)}\n`);
    await control.submit({ fileName: `sweep-${at}.yaml`, requestId: `request-${at}`, text, source: undefined });
  }
  for (let done = 0; done < options.run; ) {
    const offers = await untilOffers(served);
    for (const key of offers) {
      await runOne(served, key, ids[done % ids.length] ?? '', done, options);
      done += 1;
    }
  }
  return {
    served,
    collecting,
    async scrape() {
      await collecting.measure();
      return metrics.registry.metrics();
    },
    stop() {
      collecting.stop();
      served.stop();
    },
  };
}

const slotsOf = ({ agents, gpusPerAgent }: BusyOptions) => agents * gpusPerAgent;

async function untilOffers({ runtime, offers }: Served): Promise<AttemptKey[]> {
  while (offers.length === 0) {
    runtime.reschedule();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return offers.splice(0);
}

/**
 * Grants an attempt, sends its reports and ends it. One trial in ten fails. The last trials, one per slot, do not end.
 */
async function runOne({ runtime }: Served, key: AttemptKey, agentId: string, at: number, options: BusyOptions) {
  const { core } = runtime;
  const { step, answer } = onOpen(core, { key, agentId, incarnation: 'i', slot: at % options.gpusPerAgent }, now());
  if (!answer.granted) return;
  const steps = [step];
  let seq = 0;
  const send = (body: Body) => {
    steps.push(onRecord(core, { agentId, record: { key, seq: ++seq, at: now(), ...body } }, now()).step);
  };
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    const metrics = Object.fromEntries(options.metrics.map((name, place) => [name, place + 1 / (at + epoch)]));
    send({ kind: 'report', epoch, metrics });
  }
  const failed: AttemptEnd = { outcome: 'failed', failure: { class: 'nan', message: 'the loss is not a number' } };
  if (at < options.run - slotsOf(options))
    send({ kind: 'ended', end: at % 10 === 9 ? failed : { outcome: 'succeeded' } });
  await runtime.settle(combine(steps));
}

type Body = AttemptRecord extends infer R ? (R extends unknown ? Omit<R, 'key' | 'seq' | 'at'> : never) : never;
