import { setTimeout as sleep } from 'node:timers/promises';
import { UnreachableError } from '../proto/errors.ts';
import type { SubmitRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../proto/gen/trawl/v1/types.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';

/** A large sweep is written whole before the answer. */
const SUBMIT_DEADLINE_MS = 60_000;

/** Waits before the second and later tries of a coordinator that is not there, or went away before it answered. */
const RETRY_WAITS_MS = [200, 500, 1_000];

/** Hands a sweep in. The request's id stays the same with every try, so nothing is added twice. */
export async function submitSweep(connection: Connection, request: SubmitRequest): Promise<Sweep> {
  for (let failures = 0; ; failures++) {
    try {
      const { sweep } = await unary(connection, connection.client.submit, request, SUBMIT_DEADLINE_MS);
      if (sweep === undefined) throw new Error('the coordinator answered without a sweep');
      return sweep;
    } catch (error) {
      const wait = RETRY_WAITS_MS[failures];
      if (!(error instanceof UnreachableError) || wait === undefined) throw error;
      await sleep(wait);
    }
  }
}
