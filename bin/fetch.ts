/** The questions that several verbs ask a coordinator. */
import { NotFoundError } from '../proto/errors.ts';
import type { Curve, ListConfigsRequest, ListTrialsRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import { type Config, Goal, type Report, type Sweep, type Trial } from '../proto/gen/trawl/v1/types.ts';
import type { Connection } from './connect.ts';
import { stream, unary } from './rpc.ts';

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
