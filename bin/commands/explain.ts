import type { Command } from 'commander';
import { agentReasonText, explainLines, explanationTexts, isBlocking } from '../../lib/text/explain.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { ExplainTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { trialState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { isoTime } from '../output/format.ts';
import { print, printJson } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly sweep?: string };

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
    .description('explain why a trial does not run, agent by agent, or how it ended')
    .argument('<trial>', 'trial id, unambiguous prefix, or SWEEP/ID where several sweeps have the trial')
    .option('--sweep <sweep>', 'the sweep that has the trial: id, name or "last"; the same as SWEEP/ID');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl explain 3f2a91bc', 'list the reasons, for the sweep and for each agent'],
      ['trawl explain 3/3f2a91bc', 'the trial of sweep 3, where other sweeps have a trial with this id'],
      ['trawl explain 3f2a91bc -o json', 'the same as JSON'],
    ],
  }).action((trial: string, options: Options) =>
    withConnection(options, async (connection) => {
      const request = { sweep: options.sweep ?? '', trial };
      const answer = await unary(connection, connection.client.explainTrial, request);
      return options.output === 'json'
        ? printJson(json(answer))
        : print(
            explainLines(answer, Date.now())
              .map((line) => `${visibleText(line)}\n`)
              .join(''),
          );
    }),
  );
}
