/** The command `ip` of Linux, which makes networks. */
import { execFileSync, spawnSync } from 'node:child_process';

/** @throws {Error} with what it says */
export function ip(...args: readonly string[]): string {
  return execFileSync('ip', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Whether it went well; for what may be gone already. */
export function ipIfThere(...args: readonly string[]): boolean {
  return spawnSync('ip', [...args], { stdio: 'ignore' }).status === 0;
}

/** Process ids in a network namespace. */
export function pidsIn(namespace: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

/** @returns why no machines can be made up here; undefined when they can */
export function machinesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  const probe = `trawl-probe-${process.pid}`;
  if (!ipIfThere('netns', 'add', probe)) return 'there is no "ip netns" here, or it may not be used';
  ipIfThere('netns', 'del', probe);
  return undefined;
}
