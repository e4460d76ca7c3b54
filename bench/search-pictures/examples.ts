/** The examples of examples/mnist that have a picture, and the files of their pictures and data. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { packageRoot } from '../../lib/files/package-root.ts';
import { lossLimits, methodPicture } from './method-picture.ts';
import { populationPicture } from './population-picture.ts';
import type { RecordedRun } from './recorded-run.ts';
import { rulePicture } from './rule-picture.ts';

export const METHODS = ['grid', 'random', 'sobol', 'tpe', 'optuna', 'pbt'] as const;
export const RULES = ['asha', 'asha-promotion', 'hyperband', 'median', 'patience', 'threshold'] as const;
export const PICTURED = [...METHODS, ...RULES] as const;
export type Pictured = (typeof PICTURED)[number];

const isRule = (name: Pictured): boolean => RULES.some((rule) => rule === name);

/** Returns the path of the picture, relative to the folder docs. */
export const picturePath = (name: Pictured): string => join(isRule(name) ? 'early-stopping' : 'search', `${name}.svg`);

export const docsFile = (path: string): string => join(packageRoot(), 'docs', path);
export const dataFile = (name: Pictured): string => docsFile(picturePath(name).replace(/svg$/, 'json'));
export const exampleFile = (name: string): string => join(packageRoot(), 'examples', 'mnist', `${name}.yaml`);

export const isRecorded = (name: Pictured): boolean => existsSync(dataFile(name));

/** @throws {Error} if the sweep has not been recorded */
export const readRun = (name: Pictured): RecordedRun => JSON.parse(readFileSync(dataFile(name), 'utf8'));

const exampleSpec = (name: string) => parseSweep(readFileSync(exampleFile(name), 'utf8'), name);
export const fingerprintOf = (name: Pictured): string => sweepFingerprint(exampleSpec(name));

/** Draws the picture of an example from its recorded result. */
export function pictureOf(name: Pictured): string {
  const run = readRun(name);
  const { earlyTerminate, axes } = exampleSpec(name);
  if (earlyTerminate?.type === 'pbt') return populationPicture(run, earlyTerminate.interval);
  if (earlyTerminate !== undefined) {
    const epochs = Number(axes.find((axis) => axis.name === 'epochs')?.at(0));
    return rulePicture(run, earlyTerminate, epochs);
  }
  const runs = METHODS.filter((method) => method !== 'pbt' && isRecorded(method)).map(readRun);
  return methodPicture(run, lossLimits(runs), readRun('random'));
}
