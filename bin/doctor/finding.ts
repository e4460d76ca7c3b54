import type { Style } from '../../lib/text/style.ts';
import { paint, type Terminal } from '../output/terminal.ts';

/** The result of one check of `trawl doctor`. */
export interface Finding {
  /** The item that was checked, such as `nats-server`. */
  readonly name: string;
  /** `missing` means absent or unusable; `warning` means usable, with a limitation. */
  readonly state: 'ok' | 'missing' | 'warning';
  readonly detail: string;
  /** How to fix the problem, in one or more lines. Undefined if there is no problem, or if `detail` suffices. */
  readonly fix?: string;
  /** Whether sweeps on this machine need the item. */
  readonly needed: boolean;
}

/** Returns the findings that prevent sweeps on this machine. */
export function faults(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ state, needed }) => needed && state === 'missing');
}

const STYLES: Record<Finding['state'], Style> = { ok: 'cyan', warning: 'yellow', missing: 'magenta' };
const STATE_WIDTH = 'warning'.length;

/** Renders one line per finding, with the fix below the line, and a verdict at the end. */
export function findingsText(findings: readonly Finding[], terminal: Terminal): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const indent = ' '.repeat(STATE_WIDTH + width + 4);
  const lines = findings.flatMap(({ name, state, detail, fix }) => [
    `${paint(state.padEnd(STATE_WIDTH), STYLES[state], terminal)}  ${name.padEnd(width)}  ${detail}`,
    ...(fix === undefined ? [] : fix.split('\n').map((line) => `${indent}${line}`)),
  ]);
  const names = faults(findings).map(({ name }) => name);
  const verdict =
    names.length === 0
      ? 'This machine can run sweeps.'
      : `This machine cannot run sweeps yet: fix ${names.join(', ')}.`;
  return `${[...lines, '', verdict].join('\n')}\n`;
}
