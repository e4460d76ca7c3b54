import { type Command, Option } from 'commander';
import { withConnection } from '../connect.ts';
import { getSweep, listTrials } from '../fetch.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  parseCount,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options.ts';
import { print, printJson } from '../output/print.ts';
import { terminalOf } from '../output/terminal.ts';
import { trialJson } from '../output/trial-json.ts';
import { renderTrials } from '../output/trial-table.ts';
import { GOALS, type GoalChoice, goalOf } from '../ranking-options.ts';

interface Options extends GlobalOptions, ServerOptions, OutputOptions {
  readonly by?: string;
  readonly goal?: GoalChoice;
  readonly top: number;
}

const DEFAULT_TOP = 5;

async function best(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const rankBy = options.by ?? '';
    const goal = goalOf(options.goal);
    const listed = await listTrials(connection, { sweep: sweep.id, rankBy, goal, limit: options.top });
    // Trials without a value come last, and are not best at anything.
    const ranked = listed.filter((trial) => trial.rank > 0);
    if (options.output === 'json') return printJson(ranked.map(trialJson));
    const by = rankBy || (sweep.metric?.name ?? '');
    if (ranked.length === 0) return print('no trial has reported yet\n');
    const terminal = terminalOf(process.stdout, options.color, process.env);
    return print(renderTrials({ trials: ranked, by, trainer: sweep.trainer }, terminal));
  });
}

export function registerBest(program: Command): void {
  const command = program
    .command('best')
    .description("show a sweep's best trials")
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('--by <metric>', "metric to rank by (default: the sweep's own)")
    .addOption(new Option('--goal <goal>', "which end is best (default: the metric's usual one)").choices(GOALS))
    .addOption(new Option('--top <n>', 'how many').argParser(parseCount).default(DEFAULT_TOP));
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl best', `the ${DEFAULT_TOP} best of the newest sweep, by its own metric`],
      ['trawl best 3 --by psnr --top 1', 'the one with the highest PSNR'],
      ['trawl best last --by train_loss --goal max -o json', 'the worst by training loss, as JSON'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => best(sweep, self.optsWithGlobals<Options>()));
}
