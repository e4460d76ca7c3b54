import type { SubmitRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../proto/gen/trawl/v1/types.ts';
import { askAgain, LARGE_CHANGE_DEADLINE_MS } from './ask-again.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';

/** Hands a sweep in. */
export async function submitSweep(connection: Connection, request: SubmitRequest): Promise<Sweep> {
  const { sweep } = await askAgain(() =>
    unary(connection, connection.client.submit, request, LARGE_CHANGE_DEADLINE_MS),
  );
  if (sweep === undefined) throw new Error('the coordinator answered without a sweep');
  return sweep;
}
