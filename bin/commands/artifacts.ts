import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { requireFolder } from '../../lib/files/folder.ts';
import type { Column } from '../../lib/text/table.ts';
import { NotFoundError } from '../../proto/errors.ts';
import { artifactKind } from '../../proto/names.ts';
import { listArtifacts, readArtifact, type TrialArtifact } from '../client/artifacts.ts';
import { withConnection } from '../client/connect.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { artifactJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

type ListOptions = GlobalOptions & ServerOptions & OutputOptions & { readonly trial?: string };

interface GetOptions extends ServerOptions {
  readonly out: string;
}

const COLUMNS: readonly Column<TrialArtifact>[] = [
  { header: 'trial', cell: ({ trialId }) => trialId },
  { header: 'attempt', numeric: true, cell: ({ artifact }) => `${artifact.attempt}` },
  { header: 'name', elide: 'middle', cell: ({ artifact }) => artifact.name },
  { header: 'kind', cell: ({ artifact }) => artifactKind.of(artifact.kind) },
  { header: 'epoch', numeric: true, cell: ({ artifact }) => (artifact.epoch === 0 ? '-' : `${artifact.epoch}`) },
  { header: 'bytes', numeric: true, cell: ({ artifact }) => `${artifact.size}` },
];

async function list(sweep: string, options: ListOptions): Promise<void> {
  const found = await withConnection(options, (connection) =>
    listArtifacts(connection, { sweep, trial: options.trial ?? '' }),
  );
  if (options.output === 'json') {
    return printJson(found.map(({ trialId, artifact }) => ({ trial: trialId, ...artifactJson(artifact) })));
  }
  if (found.length === 0) return print('no artifacts yet\n');
  return print(renderTable(COLUMNS, found, resultTerminal(options)));
}

/** Downloads artifacts. Writes each file under a temporary name first, so that no artifact is left incomplete. */
async function get(trial: string, names: readonly string[], options: GetOptions): Promise<void> {
  await withConnection(options, async (connection) => {
    const all = await listArtifacts(connection, { sweep: '', trial });
    const known = new Set(all.map(({ artifact }) => artifact.name));
    const missing = names.find((name) => !known.has(name));
    if (missing !== undefined) {
      const has = known.size === 0 ? 'it has no artifacts' : `its artifacts are ${[...known].join(', ')}`;
      throw new NotFoundError(`trial ${trial} has no artifact ${JSON.stringify(missing)}; ${has}`);
    }
    for (const name of names.length > 0 ? names : known) {
      const { bytes } = await readArtifact(connection, { sweep: '', trial, attempt: 0, name });
      const path = join(options.out, name);
      requireFolder('--out', dirname(path));
      await writeFile(`${path}.part`, bytes);
      await rename(`${path}.part`, path);
      note(`${path} (${bytes.byteLength} bytes)`);
    }
  });
}

export function registerArtifacts(program: Command): void {
  const artifacts = program.command('artifacts').description('list and download artifacts of trials');
  withHelp(artifacts, {
    examples: [
      ['trawl artifacts ls', 'list the artifacts of the newest sweep'],
      ['trawl artifacts get 3f2a91bc --out files', 'download all artifacts of one trial'],
    ],
  });
  const ls = artifacts
    .command('ls')
    .description('list the artifacts of a sweep or of one trial')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .option('--trial <trial>', 'only artifacts of this trial (id or unambiguous prefix)');
  withHelp(withOutput(withServer(ls)), {
    examples: [
      ['trawl artifacts ls', 'artifacts of the newest sweep'],
      ['trawl artifacts ls 3 --trial 3f2a -o json', 'artifacts of one trial of sweep 3, as JSON with checksums'],
    ],
  }).action((sweep: string, _options: ListOptions, self: Command) => list(sweep, self.optsWithGlobals<ListOptions>()));
  const fetch = artifacts
    .command('get')
    .description('download artifacts of a trial, each from the newest attempt that has it, and verify their checksums')
    .argument('<trial>', 'trial id, unambiguous prefix, or SWEEP/ID where several sweeps have the trial')
    .argument('[names...]', 'artifact names (default: all)')
    .option('--out <dir>', 'output folder', pathOption, '.');
  withHelp(withServer(fetch), {
    examples: [
      ['trawl artifacts get 3f2a91bc --out files', 'all artifacts of the trial'],
      ['trawl artifacts get 3f2a91bc reconstructions/epoch-10.png', 'one image'],
    ],
  }).action((trial: string, names: string[], options: GetOptions) => get(trial, names, options));
}
