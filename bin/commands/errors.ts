import type { Command } from 'commander';
import { type FailureGroup, failureGroups } from '../../lib/domain/failure-groups.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import { withConnection } from '../client/connect.ts';
import { getSweep, listTrials } from '../client/sweeps.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

type Options = GlobalOptions & ServerOptions & OutputOptions;

const COLUMNS: readonly Column<FailureGroup>[] = [
  { header: 'trials', numeric: true, cell: ({ trials }) => String(trials.length) },
  { header: 'class', neverCut: true, cell: ({ class: name }) => name, style: () => 'yellow' },
  { header: 'error', cell: ({ message }) => message || 'no message' },
  { header: 'example', neverCut: true, cell: ({ trials }) => shortId(trials[0]?.id ?? '') },
  { header: 'agents', cell: ({ agents }) => agents.join(', ') || '-' },
];

const groupJson = ({ class: name, message, trials, agents }: FailureGroup) => ({
  class: name,
  error: message,
  count: trials.length,
  agents,
  trials: trials.map(({ id }) => id),
});

async function errors(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const failed = await listTrials(connection, { sweep: sweep.id, states: ['TRIAL_STATE_FAILED'] });
    const groups = failureGroups(failed.sort((a, b) => a.index - b.index));
    if (options.output === 'json') return printJson(groups.map(groupJson));
    if (groups.length === 0) return print('no trial has failed\n');
    return print(renderTable(COLUMNS, groups, resultTerminal(options)));
  });
}

export function registerErrors(program: Command): void {
  const command = program
    .command('errors')
    .description('group the failed trials of a sweep by failure class and error, with counts and agents')
    .argument('[sweep]', 'sweep id, name or "last"', 'last');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl errors', 'the errors of the newest sweep, most frequent first, each with an example trial'],
      ['trawl errors 3 -o wide', 'the whole error and all agents'],
      ['trawl errors 3 -o json', 'the same as JSON, with the ids of all failed trials'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => errors(sweep, self.optsWithGlobals<Options>()));
}
