import type { Command } from 'commander';
import { formatSpan } from '../../dashboard/draw/numbers.ts';
import { visibleText } from '../../dashboard/draw/visible-text.ts';
import type { AgentVerdict, ExplainTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { trialState } from '../../proto/names.ts';
import { withConnection } from '../connect.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options.ts';
import { print, printJson } from '../output/print.ts';
import { isoTime } from '../output/time-text.ts';
import { unary } from '../rpc.ts';

type Options = ServerOptions & OutputOptions & { readonly sweep?: string };

function json({ trial, sinceMs, reasons, agents }: ExplainTrialResponse) {
  return {
    trial: trial?.id ?? null,
    sweep: trial?.sweepId ?? null,
    state: trial === undefined ? null : trialState.of(trial.state),
    since: isoTime(sinceMs),
    reasons,
    agents: agents.map(({ agentId, fitSlots, freeSlots, reasons }) => {
      return { agent: agentId, fit_slots: fitSlots, free_slots: freeSlots, reasons };
    }),
  };
}

function text({ trial, sinceMs, reasons, agents }: ExplainTrialResponse, now: number): string {
  if (trial === undefined) throw new Error('the coordinator answered without a trial');
  const span = formatSpan(Math.max(0, now - sinceMs));
  const since = sinceMs === 0 ? '' : trial.endedAtMs === 0 ? ` for ${span}` : ` ${span} ago`;
  const state = `trial ${trial.id} of sweep ${trial.sweepId}: ${trialState.of(trial.state)}${since}`;
  const lines = [state, ...reasons.map((reason) => `  ${reason}`)];
  if (agents.length > 0) lines.push('agents:', ...agents.map((agent) => `  ${verdict(agent)}`));
  return lines.map((line) => `${visibleText(line)}\n`).join('');
}

function verdict({ agentId, fitSlots, freeSlots, reasons }: AgentVerdict): string {
  if (fitSlots === 0) return `${agentId}: no: ${reasons.join('; ')}`;
  const slots = fitSlots === 1 ? '1 slot' : `${fitSlots} slots`;
  const may = freeSlots > 0 ? `may run it: ${freeSlots} of ${slots} free` : `may run it in ${slots}`;
  return [`${agentId}: ${may}`, ...reasons].join('; ');
}

export function registerExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('say why a trial does not run, agent by agent; or what became of it')
    .argument('<trial>', "a trial's id or the start of it")
    .option('--sweep <sweep>', 'which sweep\'s: id, name or "last" (default: the newest that holds the trial)');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl explain 3f2a91bc', 'what the sweep, and each agent, has against it'],
      ['trawl explain 3f2a91bc -o json', 'the same for a script'],
    ],
  }).action((trial: string, options: Options) =>
    withConnection(options, async (connection) => {
      const request = { sweep: options.sweep ?? '', trial };
      const answer = await unary(connection, connection.client.explainTrial, request);
      return options.output === 'json' ? printJson(json(answer)) : print(text(answer, Date.now()));
    }),
  );
}
