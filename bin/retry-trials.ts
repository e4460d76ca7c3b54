import { randomUUID } from 'node:crypto';
import type { RetryTrialsRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../proto/gen/trawl/v1/types.ts';
import { askAgain, LARGE_CHANGE_DEADLINE_MS } from './ask-again.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';

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
