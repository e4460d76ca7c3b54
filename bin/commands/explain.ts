import type { Command } from 'commander';
import { agentReasonText, explainLines, explanationTexts, isBlocking } from '../../lib/text/explain.ts';
import { countText } from '../../lib/text/numbers.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { ExplainTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { sweepState, trialState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { getSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { isoTime } from '../output/format.ts';
import { print, printJson } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly sweep?: string };

/** Explains a sweep: its state, and why it starts no trial. */
async function explainSweep(connection: Connection, options: Options): Promise<void> {
  const { sweep } = await getSweep(connection, options.sweep ?? '');
  const state = sweepStateText(sweep, Date.now());
  const { pending = 0, offered = 0 } = sweep.counts ?? {};
  if (options.output === 'json') {
    const reasons = sweep.blocked === '' ? [] : [sweep.blocked];
    return printJson({
      ...{ trial: null, sweep: sweep.id, state: sweepState.of(sweep.state), since: isoTime(sweep.stateSinceMs) },
      ...{ blocked: reasons.length > 0, reasons, agents: [] },
    });
  }
  const waiting =
    pending + offered > 0 ? [`  ${countText(pending + offered, 'trial')} pending: run trawl explain TRIAL`] : [];
  const lines = [`sweep ${sweep.id}: ${state}`, ...waiting];
  return print(lines.map((line) => `${visibleText(line)}\n`).join(''));
}

function json(explained: ExplainTrialResponse) {
  const { trial, sinceMs, reasons, agents } = explained;
  return {
    trial: trial?.id ?? null,
    sweep: trial?.sweepId ?? null,
    state: trial === undefined ? null : trialState.of(trial.state),
    since: isoTime(sinceMs),
    blocked: reasons.some(isBlocking),
    reasons: explanationTexts(explained),
    agents: agents.map(({ agentId, fitSlots, freeSlots, reasons }) => {
      return { agent: agentId, fit_slots: fitSlots, free_slots: freeSlots, reasons: reasons.map(agentReasonText) };
    }),
  };
}

export function registerExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('explain why a trial does not run, agent by agent, or how it ended; or why a sweep starts no trial')
    .argument(
      '[trial]',
      'trial id, unambiguous prefix, or SWEEP/ID where several sweeps have the trial; not needed with --sweep',
    )
    .option('--sweep <sweep>', 'sweep of the trial or, without a trial, sweep to explain: id, name or "last"');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl explain 3f2a91bc', 'list the reasons, for the sweep and for each agent'],
      ['trawl explain 3/3f2a91bc', 'the trial of sweep 3, where other sweeps have a trial with this id'],
      ['trawl explain --sweep 3', 'why sweep 3 starts no trial, for example because its sampler is busy'],
      ['trawl explain 3f2a91bc -o json', 'the same as JSON'],
    ],
  }).action((trial: string | undefined, options: Options) => {
    if (trial === undefined && options.sweep === undefined) {
      throw new BadInputError('name a trial, or a sweep with --sweep');
    }
    return withConnection(options, async (connection) => {
      if (trial === undefined) return explainSweep(connection, options);
      const request = { sweep: options.sweep ?? '', trial };
      const answer = await unary(connection, connection.client.explainTrial, request);
      return options.output === 'json'
        ? printJson(json(answer))
        : print(
            explainLines(answer, Date.now())
              .map((line) => `${visibleText(line)}\n`)
              .join(''),
          );
    });
  });
}
