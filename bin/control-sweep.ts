import { visibleText } from '../lib/text/visible-text.ts';
import type { SweepAction } from '../proto/gen/trawl/v1/sweep_service.ts';
import { sweepState } from '../proto/names.ts';
import type { Connection } from './connect.ts';
import type { OutputOptions } from './options.ts';
import { print, printJson } from './output/print.ts';
import { sweepJson } from './output/sweep-json.ts';
import { unary } from './rpc.ts';

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
