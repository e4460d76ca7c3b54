/** Runs Linux's `ip` command, which creates the simulated networks. */
import { execFileSync, spawnSync } from 'node:child_process';

/**
 * Runs `ip` and returns its output.
 * @throws {Error} with the command's stderr
 */
export function ip(...args: readonly string[]): string {
  return execFileSync('ip', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs `ip`, and returns whether the command succeeded. */
export function tryIp(...args: readonly string[]): boolean {
  return spawnSync('ip', [...args], { stdio: 'ignore' }).status === 0;
}

/** Returns the ids of the processes in a network namespace. */
export function pidsIn(namespace: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

/** Returns the reason why this computer cannot simulate machines. Undefined if there is no such reason. */
export function machinesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can create network namespaces';
  const probe = `trawl-probe-${process.pid}`;
  if (!tryIp('netns', 'add', probe)) return '"ip netns" is missing or not permitted';
  tryIp('netns', 'del', probe);
  return undefined;
}
