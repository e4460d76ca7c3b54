/** Checks that fuzzing has broken nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { expect } from 'vitest';
import type { Cluster } from '../support/cluster.ts';
import { alive } from '../support/processes.ts';

/** Pino's error level. */
const ERROR = 50;

/**
 * Checks that the processes are running and have logged no error.
 * @param parts names of the processes
 */
export function expectUnharmed(cluster: Cluster, ...parts: string[]): void {
  for (const part of parts) {
    const { pid } = part === 'coordinator' ? cluster.coordinator : cluster.agent(part);
    expect(alive([pid]), `${part} has died:\n${readFileSync(cluster.logOf(part), 'utf8').slice(-2_000)}`).toEqual([
      pid,
    ]);
    const lines = readFileSync(cluster.logOf(part), 'utf8').trim().split('\n');
    // A line that is not JSON is a crash report or a warning from Node.
    expect(lines.filter((line) => !line.startsWith('{') || JSON.parse(line).level >= ERROR)).toEqual([]);
  }
}

/** Checks that all files in the cluster's folder have expected paths. */
export function expectNoStrayFile(cluster: Cluster): void {
  const files = readdirSync(cluster.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => relative(cluster.folder, `${parentPath}/${name}`));
  const own = [
    /^coordinator\/(store\.db(-wal)?|store\.high-water|coordinator\.json|token)$/,
    /^coordinator\/artifacts\/\d+\/[0-9a-f]+\/\d+\/(\.parts\/[0-9a-f]{64}|[A-Za-z0-9_+=@,-][A-Za-z0-9._+=@,/-]*)$/,
    /^coordinator\/code\/(\.parts\/[0-9a-f]{64}|[0-9a-f]{64}\.tar)$/,
    /^(nats|worker|closer)\//,
    /^[a-z]+\.log$/,
    /^sweep\.yaml$/,
  ];
  expect(paths.filter((path) => !own.some((pattern) => pattern.test(path)))).toEqual([]);
}

/** Returns the value of the metric `trawl_unreadable_messages_total`. */
export async function unreadable(metricsUrl: string, via: 'grpc' | 'nats'): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const value = new RegExp(`^trawl_unreadable_messages_total\\{via="${via}"\\} (\\d+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`${metricsUrl} does not count unreadable messages by ${via}`);
  return Number(value);
}
