/** The folders of an export's runs. */

import { parameterText } from '../../../lib/domain/parameters.ts';
import { SHORT_ID } from '../../../lib/text/short-id.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';

/** Characters of a run's folder: file systems take 255 bytes. */
export const MAX_RUN_NAME = 160;

/** How much of the ids tells every two apart: at least as much as people are shown. */
export function idLength(ids: readonly string[]): number {
  const sorted = [...ids].sort();
  let length = SHORT_ID;
  for (const [i, id] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next === undefined) break;
    while (length < id.length && id.startsWith(next.slice(0, length))) length++;
  }
  return length;
}

/** `3f2a91bc-latent_dim=15,noise_std=0.5,seed=1`: whatever the values, one folder, and none that leads elsewhere. */
export function runName(trial: Trial, varying: readonly string[], length: number): string {
  const told = varying.map((name) => `${name}=${parameterText(trial, name)}`).join(',');
  const name = `${trial.id.slice(0, length)}${told === '' ? '' : '-'}${told}`;
  return name.replaceAll(/[^A-Za-z0-9._=,+-]/g, '_').slice(0, MAX_RUN_NAME);
}
