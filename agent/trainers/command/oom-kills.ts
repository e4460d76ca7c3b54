/** Reads how many processes the kernel has killed for lack of memory. */
import { readFile } from 'node:fs/promises';

/** Returns the counter of this process's cgroup, or else the counter of the machine; 0 if neither counter exists. */
export async function oomKills(): Promise<number> {
  if (process.platform !== 'linux') return 0;
  const cgroups = await textOf('/proc/self/cgroup');
  const unified = /^0::(.*)$/m.exec(cgroups)?.[1];
  const legacy = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(cgroups)?.[1];
  const files = [
    ...(unified === undefined ? [] : [`/sys/fs/cgroup${unified}/memory.events`, '/sys/fs/cgroup/memory.events']),
    ...(legacy === undefined ? [] : [`/sys/fs/cgroup/memory${legacy}/memory.oom_control`]),
    '/proc/vmstat',
  ];
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec(await textOf(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
