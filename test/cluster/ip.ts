/** Linux's `ip` command, which creates networks. */
import { execFileSync, spawnSync } from 'node:child_process';

/** @throws {Error} with the command's stderr */
export function ip(...args: readonly string[]): string {
  return execFileSync('ip', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Returns whether the command succeeded. For removing something that may not exist. */
export function ipIfThere(...args: readonly string[]): boolean {
  return spawnSync('ip', [...args], { stdio: 'ignore' }).status === 0;
}

/** Returns the ids of the processes in a network namespace. */
export function pidsIn(namespace: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

/** @returns the reason why machines cannot be simulated here; undefined if they can */
export function machinesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  const probe = `trawl-probe-${process.pid}`;
  if (!ipIfThere('netns', 'add', probe)) return 'there is no "ip netns" here, or it may not be used';
  ipIfThere('netns', 'del', probe);
  return undefined;
}
