import { randomUUID } from 'node:crypto';
import { visibleText } from '../../lib/text/visible-text.ts';
import { NotFoundError } from '../../proto/errors.ts';
import type {
  Curve,
  ListConfigsRequest,
  ListTrialsRequest,
  RetryTrialsRequest,
  SubmitRequest,
  SweepAction,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Config, Goal, type Report, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import type { OutputOptions } from '../options/common.ts';
import { sweepJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import type { Connection } from './connect.ts';
import { askAgain, LARGE_CHANGE_DEADLINE_MS, stream, unary } from './rpc.ts';

/** The questions that several verbs ask a coordinator. */

/** @throws {NotFoundError} */
export async function getSweep(connection: Connection, selector: string): Promise<{ sweep: Sweep; text: string }> {
  const { sweep, text } = await unary(connection, connection.client.getSweep, { sweep: selector });
  if (sweep === undefined) throw new NotFoundError(`there is no sweep ${selector}`);
  return { sweep, text };
}

/** Configs in order of rank, each with its replicates taken together: by `rankBy`, or the sweep's own metric. */
export async function listConfigs(
  connection: Connection,
  request: Partial<ListConfigsRequest> & { readonly sweep: string },
): Promise<Config[]> {
  const whole: ListConfigsRequest = { rankBy: '', goal: Goal.UNSPECIFIED, limit: 0, ...request };
  const configs: Config[] = [];
  for await (const batch of stream(connection, connection.client.listConfigs, whole)) configs.push(...batch.configs);
  return configs;
}

/**
 * Every trial's metrics over its epochs, in the sweep's order; trials that have not reported are not in.
 * @param trialIds of these trials only
 */
export async function* streamCurves(
  connection: Connection,
  sweep: string,
  trialIds: readonly string[] = [],
): AsyncGenerator<Curve, void, void> {
  const request = { sweep, trialIds: [...trialIds] };
  for await (const { curves } of stream(connection, connection.client.listCurves, request)) yield* curves;
}

/** The same by the trial's id, at once. */
export async function listCurves(connection: Connection, sweep: string): Promise<Map<string, readonly Report[]>> {
  const curves = new Map<string, readonly Report[]>();
  for await (const { trialId, reports } of streamCurves(connection, sweep)) curves.set(trialId, reports);
  return curves;
}

/** Trials in order of rank: by `rankBy`, or the sweep's own metric. */
export async function listTrials(
  connection: Connection,
  request: Partial<ListTrialsRequest> & { readonly sweep: string },
): Promise<Trial[]> {
  const whole: ListTrialsRequest = { rankBy: '', goal: Goal.UNSPECIFIED, limit: 0, states: [], ...request };
  const trials: Trial[] = [];
  for await (const batch of stream(connection, connection.client.listTrials, whole)) {
    for (const trial of batch.trials) trials.push(trial);
  }
  return trials;
}

/** Hands a sweep in. */
export async function submitSweep(connection: Connection, request: SubmitRequest): Promise<Sweep> {
  const { sweep } = await askAgain(() =>
    unary(connection, connection.client.submit, request, LARGE_CHANGE_DEADLINE_MS),
  );
  if (sweep === undefined) throw new Error('the coordinator answered without a sweep');
  return sweep;
}

/**
 * Has trials tried again: those that are named, or whichever failed so or were cancelled.
 * @returns the sweep as it is then, and how many trials that were
 */
export async function retryTrials(
  connection: Connection,
  which: Partial<RetryTrialsRequest>,
): Promise<{ sweep: Sweep; retried: number }> {
  const none = { sweep: '', trials: [], failed: false, failures: [], cancelled: false };
  const request: RetryTrialsRequest = { ...none, ...which, requestId: randomUUID() };
  const { sweep, retried } = await askAgain(() =>
    unary(connection, connection.client.retryTrials, request, LARGE_CHANGE_DEADLINE_MS),
  );
  if (sweep === undefined) throw new Error('the coordinator answered without a sweep');
  return { sweep, retried };
}

/** Asks the coordinator to do something to a sweep, and prints what it is then. */
export async function controlSweep(
  connection: Connection,
  sweep: string,
  action: SweepAction,
  { reason = '', priority = 0, output }: OutputOptions & { readonly reason?: string; readonly priority?: number },
): Promise<void> {
  const answer = await unary(connection, connection.client.controlSweep, { sweep, action, reason, priority });
  if (answer.sweep === undefined) throw new Error('the coordinator answered without a sweep');
  if (output === 'json') return printJson(sweepJson(answer.sweep));
  const { id, name, state, counts } = answer.sweep;
  const waiting = (counts?.pending ?? 0) + (counts?.offered ?? 0);
  const left = `${counts?.running ?? 0} trials running, ${waiting} waiting`;
  return print(visibleText(`sweep ${id} (${name}) ${sweepState.of(state)}: ${left}`).concat('\n'));
}
