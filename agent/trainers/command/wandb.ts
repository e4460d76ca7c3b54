/**
 * Gives a program the environment that W&B's agent would give it, and the import hooks that forward its logged values.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { packageRoot } from '../../../lib/files/package-root.ts';
import { PythonFloat, pythonText } from '../../../lib/text/python.ts';
import type { ProgramSpec } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { wandbMode } from '../../../proto/names.ts';
import type { AttemptLog, TrainingRun } from '../trainer.ts';
import type { ProgramFolders, ProgramParameters } from './invocation.ts';
import { copyLinkedFiles, keepArtifacts } from './kept-files.ts';
import { wandbRows } from './report/wandb-run-file.ts';
import type { Reports } from './reports.ts';

/**
 * Writes the trial's parameters to a file that W&B reads, and returns the environment variables for W&B. Does nothing,
 * and returns no variables, if the sweep does not use W&B.
 */
export function wandbEnvironment(
  { key }: Pick<TrainingRun, 'key'>,
  parameters: ProgramParameters,
  spec: ProgramSpec | undefined,
  folders: ProgramFolders,
  inherited: NodeJS.ProcessEnv,
): Record<string, string> {
  const mode = spec && wandbMode.of(spec.wandb);
  if (mode !== 'offline' && mode !== 'online') return {};
  writeFileSync(folders.wandbParameters, wandbParameters(parameters));
  const shared = { WANDB_SWEEP_ID: key.sweepId, WANDB_SWEEP_PARAM_PATH: folders.wandbParameters };
  if (mode === 'online') return shared;
  mkdirSync(folders.wandb, { recursive: true });
  return {
    ...shared,
    WANDB_MODE: 'offline',
    WANDB_PROJECT: inherited.WANDB_PROJECT || 'trawl',
    WANDB_RUN_ID: `${key.trialId}-${key.attempt}`,
    WANDB_DIR: folders.wandb,
  };
}

function wandbParameters(parameters: ProgramParameters): string {
  const values: YamlTree = new Map();
  for (const [name, value] of Object.entries(parameters)) {
    const text = yamlText(value);
    values.set(name, text);
    addNested(values, name.split('.'), text);
  }
  const lines = [...values].map(([name, value]) => `${JSON.stringify(name)}: {value: ${treeText(value)}}`);
  return `${['wandb_version: 1', ...lines].join('\n')}\n`;
}

/** The values of the parameters as YAML text, by name. Nested maps also contain the parameters with dotted names. */
type YamlTree = Map<string, string | YamlTree>;

/**
 * Adds a parameter with a dotted name as a nested value, because programs read nested parameters as
 * `config['optimizer']['lr']`. The dotted name is also in the configuration.
 */
function addNested(tree: YamlTree, [first = '', ...rest]: readonly string[], text: string): void {
  const known = tree.get(first);
  if (rest.length === 0) {
    if (known === undefined) tree.set(first, text);
    return;
  }
  if (typeof known === 'string') return;
  const inner = known ?? new Map();
  tree.set(first, inner);
  addNested(inner, rest, text);
}

function treeText(tree: string | YamlTree): string {
  if (typeof tree === 'string') return tree;
  return `{${[...tree].map(([name, value]) => `${JSON.stringify(name)}: ${treeText(value)}`).join(', ')}}`;
}

function yamlText(value: unknown): string {
  if (typeof value === 'number' || value instanceof PythonFloat) {
    const number = typeof value === 'number' ? value : value.value;
    if (!Number.isFinite(number)) return Number.isNaN(number) ? '.nan' : number < 0 ? '-.inf' : '.inf';
    // PyYAML reads 1e-07 as text, because it requires a decimal point before an exponent.
    return pythonText(value).replace(/^(-?\d+)e/, '$1.0e');
  }
  if (Array.isArray(value)) return `[${value.map(yamlText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${yamlText(item)}`);
    return `{${entries.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** Returns the import hooks that the sweep file selects. */
export function hooksOf(spec: ProgramSpec | undefined): string[] {
  return (spec?.report ?? []).flatMap(({ source }) => (source?.$case === 'hook' ? [source.hook] : []));
}

/** Returns the environment variables that make Python load the import hooks. */
export function hookEnvironment(
  hooks: readonly string[],
  marker: string,
  inherited: NodeJS.ProcessEnv,
): Record<string, string> {
  if (hooks.length === 0) return {};
  const folder = join(packageRoot(), 'agent', 'trainers', 'command', 'python');
  return {
    PYTHONPATH: inherited.PYTHONPATH ? `${folder}${delimiter}${inherited.PYTHONPATH}` : folder,
    TRAWL_HOOKS: hooks.join(','),
    TRAWL_HOOK_MARKER: marker,
  };
}

/** Returns whether a command appears to start Python, judging by its words. */
export function isPython(command: readonly string[]): boolean {
  return /python/i.test(basename(command[0] ?? '')) || command.some((item) => item.endsWith('.py'));
}

/** Reports the values in W&B's own files, for a program in which the import hook was not loaded. */
export async function reportWandbFiles(folder: string, reports: Reports): Promise<void> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  for (const file of files.filter((name) => /^run-.*\.wandb$/.test(basename(name)))) {
    for (const row of wandbRows(await readFile(join(folder, file)))) await reports.takeValues(row);
  }
}

/**
 * Keeps the files of the program's W&B runs, except `requirements.txt` and `output.log`, as artifacts below `wandb/`.
 */
export async function keepWandbFiles(run: Pick<TrainingRun, 'keep'>, folder: string, log: AttemptLog): Promise<void> {
  const root = join(folder, 'wandb');
  if (!existsSync(root)) return;
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const runs = entries.filter((entry) => entry.isDirectory() && entry.name.includes('run')).map(({ name }) => name);
  for (const name of runs) {
    const files = join(root, name, 'files');
    const isThere = await readdir(files).then(
      () => true,
      () => false,
    );
    const prefix = runs.length === 1 ? 'wandb' : `wandb/${name}`;
    const nameOf = (file: string) =>
      file === 'requirements.txt' || file === 'output.log' ? undefined : `${prefix}/${file}`;
    if (!isThere) continue;
    // wandb.save stores links to the program's files, and links are not kept as artifacts.
    await copyLinkedFiles(files, log);
    await keepArtifacts(run, files, log, nameOf);
  }
}
