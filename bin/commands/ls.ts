import type { Command } from 'commander';
import { timeLeftRange } from '../../lib/domain/eta.ts';
import { hasNoEstimate, NO_ESTIMATE_TEXT } from '../../lib/domain/progress.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import type { Column } from '../../lib/text/table.ts';
import { progressText } from '../../lib/text/trials-to-come.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import type { GlobalOptions, OutputOptions, QuietOptions, ServerOptions } from '../options/common.ts';
import { withHelp, withOutput, withQuiet, withServer } from '../options/common.ts';
import { agoText } from '../output/format.ts';
import { sweepJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import { suggested } from '../output/suggested.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

type Options = GlobalOptions & ServerOptions & OutputOptions & QuietOptions;

const WARNINGS: Column<Sweep> = {
  header: 'warnings',
  numeric: true,
  cell: ({ warnings }) => String(warnings.length),
  style: ({ warnings }) => (warnings.length > 0 ? 'yellow' : undefined),
};

const TIME_LEFT: Column<Sweep> = {
  header: 'time left',
  minWidth: 14,
  cell: (sweep) => {
    if (sweep.timeLeft !== undefined) return timeLeftRange(sweep.timeLeft);
    return hasNoEstimate(sweep) ? NO_ESTIMATE_TEXT : '-';
  },
};

function columns(sweeps: readonly Sweep[], now: number): Column<Sweep>[] {
  const number = (header: string, cell: (sweep: Sweep) => string): Column<Sweep> => ({ header, numeric: true, cell });
  return [
    number('sweep', (sweep) => sweep.id),
    { header: 'name', elide: 'middle', minWidth: 10, cell: (sweep) => sweep.name },
    {
      header: 'state',
      required: true,
      minWidth: 18,
      cell: (sweep) => sweepStateText(sweep, now),
      style: (sweep) => sweepStyle(sweepState.of(sweep.state)),
    },
    number('finished', progressText),
    number('running', (sweep) => String(sweep.counts?.running ?? 0)),
    number('failed', (sweep) => String(sweep.counts?.failed ?? 0)),
    ...(sweeps.some(({ warnings }) => warnings.length > 0) ? [WARNINGS] : []),
    ...(sweeps.some((sweep) => sweep.timeLeft !== undefined || hasNoEstimate(sweep)) ? [TIME_LEFT] : []),
    { header: 'created', neverCut: true, cell: (sweep) => agoText(sweep.createdAtMs, now) },
    { header: 'reason', cell: (sweep) => sweep.reason },
  ];
}

async function ls(options: Options): Promise<void> {
  const { sweeps } = await withConnection(options, (connection) => unary(connection, connection.client.listSweeps, {}));
  if (options.quiet) return print(sweeps.map((sweep) => `${sweep.id}\n`).join(''));
  if (options.output === 'json') return printJson(sweeps.map(sweepJson));
  if (sweeps.length === 0) return print(`no sweeps; submit one with "${suggested('submit FILE', options)}"\n`);
  return print(renderTable(columns(sweeps, Date.now()), sweeps, resultTerminal(options)));
}

export function registerLs(program: Command): void {
  const command = program.command('ls').description('list the sweeps, oldest first');
  withHelp(withQuiet(withOutput(withServer(command))), {
    examples: [
      ['trawl ls', 'state, progress and time left (90% interval) of each sweep'],
      ['trawl ls -q', 'ids only, for scripts'],
      ['trawl ls --dir DIR -o json', 'sweeps in a data folder, as JSON'],
    ],
  }).action((_options: Options, self: Command) => ls(self.optsWithGlobals<Options>()));
}
