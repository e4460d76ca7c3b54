import type { Command } from 'commander';
import { shellLine } from '../../lib/text/shell.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { applySweep, getSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { type LoadedSweepFile, loadSweepFile } from '../options/sweep-file.ts';
import { confirm, hasTerminal } from '../output/confirm.ts';
import { sweepJson } from '../output/json.ts';
import { remainingText } from '../output/messages.ts';
import { note, print, printJson } from '../output/print.ts';
import { noteEffectWarnings } from '../output/program-warnings.ts';
import { suggested } from '../output/suggested.ts';
import { versionChangesJson, versionChangesText } from '../output/version-changes.ts';

type Options = ServerOptions & OutputOptions & { readonly sweep?: string; readonly dryRun?: true; readonly yes?: true };

async function apply(fileName: string, options: Options): Promise<void> {
  const file = await loadSweepFile(fileName);
  noteEffectWarnings(file.spec);
  await withConnection(options, async (connection) => {
    const sweep = await sweepToChange(connection, file, options);
    const request = { sweep: sweep.id, fileName: file.fileName, text: file.text };
    const { changes } = await applySweep(connection, { ...request, dryRun: true });
    if (changes === undefined) throw new NotFoundError(`the coordinator did not compare ${fileName} with the sweep`);
    if (options.output !== 'json') await print(versionChangesText(sweepJson(sweep), versionChangesJson(changes)));
    if (options.dryRun || !changes.differs) return printResult(sweep, changes, options);
    if (!options.yes && !(await confirmed(fileName, sweep, options))) return note('apply cancelled');
    const applied = await applySweep(connection, { ...request, baseVersion: changes.version - 1 });
    await printResult(applied.sweep ?? sweep, applied.changes ?? changes, options);
    const { offline } = connection;
    // Without a coordinator, nothing runs the new trials.
    if (offline !== undefined)
      note(`run the new trials with: ${suggested(`up ${shellLine([fileName])}`, { dir: offline.dir })}`);
  });
}

async function sweepToChange(
  connection: Connection,
  { spec, fileName }: LoadedSweepFile,
  { sweep }: Options,
): Promise<Sweep> {
  if (sweep !== undefined) return (await getSweep(connection, sweep)).sweep;
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const newest = sweeps.filter(({ name }) => name === spec.name).at(-1);
  if (newest !== undefined) return newest;
  throw new NotFoundError(
    `there is no sweep named ${JSON.stringify(spec.name)} to apply ${fileName} to; choose a sweep with --sweep, or submit the file`,
  );
}

async function confirmed(fileName: string, { id, name }: Sweep, options: Options): Promise<boolean> {
  if (hasTerminal()) return confirm(`Apply ${fileName} to sweep ${id} (${name})?`);
  const command = suggested(`apply ${fileName} --sweep ${id} --yes`, options);
  throw new BadInputError(`apply needs a confirmation; without a terminal, confirm it with: ${command}`);
}

function printResult(sweep: Sweep, changes: VersionChanges, options: Options): Promise<void> {
  if (options.output === 'json') return printJson({ ...sweepJson(sweep), changes: versionChangesJson(changes) });
  if (options.dryRun || !changes.differs) return Promise.resolve();
  return print(`${visibleText(`sweep ${sweep.id} has version ${changes.version}: ${remainingText(sweep)}`)}\n`);
}

export function registerApply(program: Command): void {
  const command = program
    .command('apply')
    .description('apply an edited file to its sweep: only new points run, and kept points keep their results')
    .argument('<file>', 'sweep file, YAML or JSON')
    .option('--sweep <sweep>', 'sweep id, name or "last" (default: the newest sweep with the name in the file)')
    .option('--dry-run', 'print the differences, and change nothing')
    .option('-y, --yes', 'skip the confirmation; required without a terminal');
  withHelp(withOutput(withServer(command)), {
    exits: [[2, 'the file is invalid, the change is not possible, or there is neither a terminal nor --yes']],
    examples: [
      ['trawl apply sweep.yaml', 'print the differences, and apply the file after a confirmation'],
      ['trawl apply sweep.yaml --dry-run', 'print the differences only'],
      ['trawl apply sweep.yaml --sweep 3 --yes', 'apply the file to sweep 3 without a confirmation'],
    ],
  }).action((file: string, options: Options) => apply(file, options));
}
