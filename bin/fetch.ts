/** The questions that several verbs ask a coordinator. */
import { NotFoundError } from '../proto/errors.ts';
import type { ListTrialsRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import { Goal, type Sweep, type Trial } from '../proto/gen/trawl/v1/types.ts';
import type { Connection } from './connect.ts';
import { stream, unary } from './rpc.ts';

/** @throws {NotFoundError} */
export async function getSweep(connection: Connection, selector: string): Promise<{ sweep: Sweep; text: string }> {
  const { sweep, text } = await unary(connection, connection.client.getSweep, { sweep: selector });
  if (sweep === undefined) throw new NotFoundError(`there is no sweep ${selector}`);
  return { sweep, text };
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
