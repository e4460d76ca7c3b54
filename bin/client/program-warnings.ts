// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/**
 * Finds probable errors in the program of a valid sweep file: no pattern has a group for the ranking metric, the script
 * is missing, parameters do not reach the program, or the program's options cannot receive the parameters.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { groupsOf } from '../../coordinator/sweepfile/program.ts';
import type { CodeFolder } from '../../lib/code/folder.ts';
import { SEED } from '../../lib/domain/parameters.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote } from '../../lib/text/quote.ts';
import { piecesOf } from '../../proto/command.ts';
import { WandbMode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';
import { argparseWarnings } from './argparse.ts';

const SCRIPT = /\.(?:py|sh|bash|js|mjs|cjs|ts|r|jl|pl|rb|lua)$/i;
/** With one of these flags, an interpreter runs no script file. */
const NO_SCRIPT = new Set(['-c', '-m', '-e', '--eval', '-p']);
const INTERPRETERS =
  /^(?:env|python[\d.]*|pypy[\d.]*|bash|sh|zsh|dash|node|deno|bun|Rscript|julia|perl|ruby|lua|torchrun|accelerate|deepspeed|uv|poetry)$/;
const MAX_SCRIPT_BYTES = 1 << 20;

/**
 * Returns the warnings about a sweep file's program, one sentence each.
 * @param workdir the working folder of the program if the file has no `code`; undefined if only the agents know it
 * @param folder the code that is sent to the agents; undefined if the file has no `code`
 */
export async function programWarnings(
  { fileName, spec }: Pick<LoadedSweepFile, 'fileName' | 'spec'>,
  workdir: string | undefined,
  folder: CodeFolder | undefined,
): Promise<string[]> {
  if (spec.command.length === 0) return [];
  const script = scriptOf(spec.command);
  const likely = workdir === undefined ? ['.', dirname(fileName)] : [workdir];
  const places = folder === undefined ? likely : [folder.dir];
  const text = script === undefined ? undefined : await textOf(places.map((place) => resolve(place, script)));
  const missing = script === undefined ? undefined : await missingScript(script, places, folder);
  const warnings = [metricWarning(spec), missing, parametersWarning(spec, text ?? '')].filter(
    (one) => one !== undefined,
  );
  return script?.endsWith('.py') === true
    ? [...warnings, ...argparseWarnings(spec, text ?? '', basename(script))]
    : warnings;
}

/** Returns a warning if all report sources are regular expressions, and none has a group for the ranking metric. */
export function metricWarning({ program }: Pick<SweepSpec, 'program'>): string | undefined {
  const sources = program?.report ?? [];
  const metric = program?.metric ?? '';
  const patterns = sources.flatMap(({ source }) => (source?.$case === 'regex' ? [source.regex] : []));
  if (metric === '' || patterns.length === 0 || patterns.length < sources.length) return undefined;
  const names = [...new Set(patterns.flatMap(groupsOf))];
  if (names.includes(metric) || (names.includes('name') && names.includes('value'))) return undefined;
  const meant = didYouMean(metric, names) || `; the groups are ${names.join(', ')}`;
  return `no regex group has the name of the metric ${quote(metric)}${meant}`;
}

/**
 * Returns a warning about parameters with several values that occur neither in the command nor in `env`. Also returns a
 * warning if no parameter occurs there.
 * @param script the text of the program's script; empty if the text is not known
 */
export function parametersWarning(spec: SweepSpec, script: string): string | undefined {
  const { command, program } = spec;
  if (program === undefined || (program.wandb !== WandbMode.OFF && program.wandb !== WandbMode.UNSPECIFIED))
    return undefined;
  const items = [...command, ...Object.values(program.env)];
  if ([script, ...items].some((text) => text.includes('TRAWL_PARAMETERS'))) return undefined;
  const pieces = items.flatMap(piecesOf);
  if (pieces.some((piece) => piece.kind === 'macro' && piece.name.startsWith('args'))) return undefined;
  const passed = new Set(pieces.flatMap((piece) => (piece.kind === 'parameter' ? [piece.name] : [])));
  const names = program.parameterOrder.filter((name) => name !== SEED);
  const sizes = new Map(spec.axes.map(({ name, size }) => [name, size]));
  const lost = names.filter((name) => !passed.has(name) && (sizes.get(name) ?? 2) > 1);
  const remedy = 'add "${args}" or "${param:NAME}" to command, or read TRAWL_PARAMETERS in the program';
  if (names.length > 0 && passed.size === 0) return `no parameter seems to reach the program: ${remedy}`;
  if (lost.length === 0) return undefined;
  const [verb, noun] = lost.length === 1 ? ['does', 'parameter'] : ['do', 'parameters'];
  return `the ${noun} ${lost.join(', ')} ${verb} not seem to reach the program: ${remedy}`;
}

/** Returns the path of the script that a command runs; undefined if it runs no script, or if the path has a macro. */
export function scriptOf(command: readonly string[]): string | undefined {
  const [first = '', ...rest] = command;
  if (SCRIPT.test(first) || /^\.{0,2}\//.test(first)) {
    if (!INTERPRETERS.test(basename(first))) return isPlain(first) ? first : undefined;
  }
  if (!INTERPRETERS.test(basename(first))) return undefined;
  for (const word of rest) {
    if (NO_SCRIPT.has(word)) return undefined;
    if (SCRIPT.test(word) && !word.startsWith('-')) return isPlain(word) ? word : undefined;
  }
  return undefined;
}

const isPlain = (word: string): boolean => !word.includes('$');

async function missingScript(
  script: string,
  places: readonly string[],
  folder: CodeFolder | undefined,
): Promise<string | undefined> {
  const [place = '.'] = places;
  const paths = places.map((each) => resolve(each, script));
  const isThere = await anyExists(paths);
  if (folder === undefined) {
    if (isThere) return undefined;
    const meant = await similarIn(dirname(resolve(place, script)), script);
    return `the script ${quote(script)} is not in ${resolve(place)}${meant}`;
  }
  const sent = folder.files.map(({ path }) => path);
  if (isAbsolute(script) ? isThere : sent.includes(normal(script))) return undefined;
  if (normal(script).startsWith('../'))
    return `the script ${quote(script)} is outside of the code folder ${folder.dir}`;
  if (isThere) return `the script ${quote(script)} is not sent with the code: .gitignore or exclude covers it`;
  return `the script ${quote(script)} is not in the code folder ${folder.dir}${didYouMean(normal(script), sent)}`;
}

const normal = (script: string): string => join('.', script);

async function similarIn(folder: string, script: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  return didYouMean(
    script,
    names.map((name) => join(dirname(script), name)),
  );
}

async function anyExists(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) if (await stat(path).catch(() => undefined)) return true;
  return false;
}

async function textOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true || found.size > MAX_SCRIPT_BYTES) continue;
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}
