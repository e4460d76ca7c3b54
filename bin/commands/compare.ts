import type { Command } from 'commander';
import { rankingMetric } from '../../lib/domain/ranking.ts';
import { withConnection } from '../client/connect.ts';
import { getSweep, listConfigs, listTrials } from '../client/sweeps.ts';
import { type ConfigComparison, chooseConfigs, comparisonOf, DEFAULT_COMPARED } from '../compare/comparison.ts';
import { renderComparison } from '../compare/comparison-table.ts';
import {
  type GlobalOptions,
  type GoalChoice,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withRanking,
  withServer,
} from '../options/common.ts';
import { goalFromOption } from '../options/ranking.ts';
import { configJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import { metricNames } from '../output/ranking-tables.ts';
import { suggested } from '../output/suggested.ts';
import { resultTerminal } from '../output/terminal.ts';

interface Options extends GlobalOptions, ServerOptions, OutputOptions {
  readonly sweep: string;
  readonly by?: string;
  readonly goal?: GoalChoice;
}

function comparisonJson({ configs, shared, parameters, metrics }: ConfigComparison) {
  return {
    shared,
    differing: parameters.map(({ name }) => name),
    configs: configs.map((config, at) => ({
      ...configJson(config),
      difference_from_first: Object.fromEntries(
        metrics.map(({ name, differences }) => [name, differences[at] ?? null]),
      ),
    })),
  };
}

async function compare(selectors: readonly string[], options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, options.sweep);
    const rankBy = options.by ?? '';
    const ranked = await listConfigs(connection, { sweep: sweep.id, rankBy, goal: goalFromOption(options.goal) });
    const configs = chooseConfigs(ranked, selectors, suggested(`trials ${sweep.id} --configs`, options));
    const trials = await listTrials(connection, { sweep: sweep.id });
    const by = rankBy || rankingMetric(sweep.metric?.name, configs);
    const comparison = comparisonOf(configs, trials, metricNames(configs, { by, trainer: sweep.trainer }));
    if (options.output === 'json') return printJson(comparisonJson(comparison));
    return print(renderComparison(comparison, resultTerminal(options)));
  });
}

export function registerCompare(program: Command): void {
  const command = program
    .command('compare')
    .description(
      'compare the parameters and metrics of configs, and test whether they differ by more than the noise between seeds',
    )
    .argument(
      '[configs...]',
      `config or trial ids, or prefixes of them (default: the ${DEFAULT_COMPARED} best configs)`,
    )
    .option('--sweep <sweep>', 'sweep id, name or "last"', 'last');
  withHelp(withOutput(withServer(withRanking(command))), {
    examples: [
      ['trawl compare', `compare the ${DEFAULT_COMPARED} best configs of the newest sweep`],
      ['trawl compare 2a2fab1a 83102658 --sweep 3', 'compare two configs, or the configs of two trials'],
      ['trawl compare --by psnr -o json', 'print means, deviations and intervals as JSON'],
    ],
  }).action((configs: string[], _options: Options, self: Command) => compare(configs, self.optsWithGlobals<Options>()));
}
