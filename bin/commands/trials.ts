import { type Command, InvalidArgumentError, Option } from 'commander';
import { objectivesOf, rankingMetric } from '../../lib/domain/ranking.ts';
import type { Filter } from '../../lib/filter/parse.ts';
import { toComeText } from '../../lib/text/trials-to-come.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { Config, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { getSweep, listConfigs, listTrials } from '../client/sweeps.ts';
import {
  type GlobalOptions,
  type GoalChoice,
  type OutputOptions,
  type QuietOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withQuiet,
  withRanking,
  withServer,
} from '../options/common.ts';
import { filterOption, filterTrials, goalFromOption } from '../options/ranking.ts';
import { parseCount } from '../options/values.ts';
import { configJson, trialJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderConfigs, renderTrials } from '../output/ranking-tables.ts';
import { resultTerminal } from '../output/terminal.ts';

interface Options extends GlobalOptions, ServerOptions, OutputOptions, QuietOptions {
  readonly by?: string;
  readonly sort?: string;
  readonly goal?: GoalChoice;
  readonly limit?: number;
  readonly state?: readonly TrialStateName[];
  readonly configs?: true;
  readonly filter?: Filter;
  readonly columns?: readonly string[];
}

const STATES: readonly TrialStateName[] = [
  'pending',
  'offered',
  'running',
  'held',
  'succeeded',
  'stopped',
  'failed',
  'cancelled',
  'interrupted',
];

function parseStates(text: string): TrialStateName[] {
  return text.split(',').map((word) => {
    const state = STATES.find((name) => name === word.trim());
    if (state === undefined) throw new InvalidArgumentError(`Allowed choices are ${STATES.join(', ')}.`);
    return state;
  });
}

function parseColumns(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** Returns the states that the table shows under the given name. */
function statesShownAs(name: TrialStateName): TrialState[] {
  const names: readonly TrialStateName[] = name === 'pending' ? ['pending', 'offered'] : [name];
  return names.map(trialState.to);
}

async function trials(selector: string, options: Options): Promise<void> {
  if (options.columns !== undefined && (options.quiet || options.output === 'json')) {
    throw new BadInputError('--columns applies to tables, not to -q and -o json');
  }
  const rankBy = options.by ?? options.sort ?? '';
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const request = { sweep: sweep.id, rankBy, goal: goalFromOption(options.goal), limit: options.limit ?? 0 };
    const tableOf = (rows: readonly (Trial | Config)[]) => ({
      by: rankBy || rankingMetric(sweep.metric?.name, rows),
      objectives: rankBy === '' ? objectivesOf(sweep).map(({ name }) => name) : [],
      trainer: sweep.trainer,
      wide: options.output === 'wide',
      columns: options.columns,
    });
    const terminal = resultTerminal(options);
    if (options.configs) {
      const configs = await listConfigs(connection, request);
      if (options.quiet) return print(configs.map(({ id }) => `${id}\n`).join(''));
      if (options.output === 'json') return printJson(configs.map(configJson));
      return print(renderConfigs({ ...tableOf(configs), configs }, terminal));
    }
    const all = await listTrials(connection, {
      ...request,
      limit: options.filter === undefined ? request.limit : 0,
      states: (options.state ?? []).flatMap(statesShownAs),
    });
    const listed =
      options.filter === undefined ? all : filterTrials(all, options.filter).slice(0, options.limit ?? all.length);
    if (options.quiet) return print(listed.map((trial) => `${trial.id}\n`).join(''));
    if (options.output === 'json') return printJson(listed.map(trialJson));
    const toCome = toComeText(sweep);
    if (toCome !== '') note(`${toCome}: further trials are created while the sweep runs`);
    if (listed.length === 0) return print('no trials match\n');
    return print(renderTrials({ ...tableOf(listed), trials: listed }, terminal));
  });
}

export function registerTrials(program: Command): void {
  const command = program
    .command('trials')
    .description('list the trials of a sweep by rank')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .addOption(new Option('--sort <metric>', 'same as --by').conflicts('by'))
    .option('--limit <n>', 'only the best n trials or, with --configs, the best n configs', parseCount)
    .addOption(new Option('--configs', 'one row per config, aggregated over its replicates').conflicts('state'))
    .addOption(
      new Option('--filter <expression>', 'only matching trials, such as "psnr>20 and depth=3"')
        .argParser(filterOption)
        .conflicts('configs'),
    )
    .option('--columns <names>', 'only these comma-separated columns, by their headers, in this order', parseColumns)
    .option(
      '--state <states>',
      `only trials in these comma-separated states: ${STATES.join(', ')}; pending includes offered`,
      parseStates,
    );
  withHelp(withQuiet(withOutput(withServer(withRanking(command)))), {
    examples: [
      ['trawl trials', 'all trials of the newest sweep, ranked by its metric'],
      ['trawl trials 3 --by psnr --limit 10', 'the ten trials of sweep 3 with the best PSNR'],
      ['trawl trials 3 --configs', 'configs with mean ± standard deviation over their seeds'],
      [
        "trawl trials last --filter 'psnr>20 and depth=3'",
        'filter by metrics, parameters, state, agent, ... (docs/dashboard.md)',
      ],
      ['trawl trials --columns rank,psnr,agent', 'only these columns'],
      ['trawl trials last --state failed -q', 'ids of the failed trials'],
      ['trawl trials last -o json', 'all trials as JSON'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => trials(sweep, self.optsWithGlobals<Options>()));
}
