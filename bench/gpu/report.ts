/**
 * Writes the report of `npm run bench:gpu -- --all` to `results.json` and `results.md`. Both are rewritten after every
 * change.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepReport } from './step-runner.ts';

export interface BenchReport {
  /** The command line. */
  readonly command: string;
  /** ISO time of the start. */
  readonly started: string;
  readonly steps: readonly StepReport[];
}

/** Writes both files. Each file is replaced as a whole, so a run that is killed leaves complete files. */
export function writeReport(folder: string, report: BenchReport): void {
  mkdirSync(folder, { recursive: true });
  const replace = (name: string, text: string) => {
    writeFileSync(join(folder, `.${name}`), text);
    renameSync(join(folder, `.${name}`), join(folder, name));
  };
  replace('results.json', `${JSON.stringify(report, null, 2)}\n`);
  replace('results.md', markdownOf(report));
}

/** Returns a summary with one row per step, followed by a section for each step that has findings. */
export function markdownOf({ command, started, steps }: BenchReport): string {
  const summary = table(
    ['step', 'result', 'time', 'limit', 'finding'],
    steps.map(({ title, state, seconds, limitS, reason }) => [title, state, `${seconds} s`, `${limitS} s`, reason]),
  );
  const sections = steps
    .filter(({ lines, table: rows }) => lines.length > 0 || (rows?.rows.length ?? 0) > 0)
    .map(({ title, lines, table: rows }) => {
      const text = lines.length > 0 ? `\`\`\`\n${lines.join('\n')}\n\`\`\`\n` : '';
      const figures = rows && rows.rows.length > 0 ? table(rows.columns, rows.rows) : '';
      return `## ${title}\n\n${[text, figures].filter((part) => part !== '').join('\n')}`;
    });
  return `# GPU benchmark\n\n\`${command}\`, started ${started}\n\n${summary}\n${sections.join('\n')}`;
}

/** Returns one line per step, for the terminal. */
export function summaryLines(steps: readonly StepReport[]): string[] {
  const width = Math.max(...steps.map(({ name }) => name.length));
  return steps.map(({ name, state, reason }) => `${name.padEnd(width)}  ${state}${reason && `: ${firstLine(reason)}`}`);
}

/** Returns the exit code: 0 if every step passed, 1 if a step failed, 3 if no step failed, but a step could not run. */
export function exitCodeOf(steps: readonly StepReport[]): number {
  if (steps.some(({ state }) => state === 'FAIL')) return 1;
  return steps.every(({ state }) => state === 'PASS') ? 0 : 3;
}

function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map(cell).join(' | ')} |\n`;
  return line(columns) + line(columns.map(() => '---')) + rows.map(line).join('');
}

function cell(value: string | number): string {
  return firstLine(`${value}`).replaceAll('|', '\\|');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
