/** Reads how many processes the kernel has killed for lack of memory. */
import { readFileSync } from 'node:fs';

/** The files that can contain the counter of killed processes, the most specific file first. */
let files: readonly string[] | undefined;

/** Returns the counter of this process's cgroup, or else the counter of the machine; 0 if neither counter exists. */
export function oomKills(): number {
  if (process.platform !== 'linux') return 0;
  files ??= counterFiles();
  for (const [at, file] of files.entries()) {
    const count = /^oom_kill (\d+)$/m.exec(textOf(file))?.[1];
    if (count === undefined) continue;
    // Later calls skip the files without a counter. This saves time, because the counter is read for each trial.
    files = files.slice(at);
    return Number(count);
  }
  return 0;
}

function counterFiles(): string[] {
  const cgroups = textOf('/proc/self/cgroup');
  const unified = /^0::(.*)$/m.exec(cgroups)?.[1];
  const legacy = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(cgroups)?.[1];
  return [
    ...(unified === undefined ? [] : [`/sys/fs/cgroup${unified}/memory.events`, '/sys/fs/cgroup/memory.events']),
    ...(legacy === undefined ? [] : [`/sys/fs/cgroup/memory${legacy}/memory.oom_control`]),
    '/proc/vmstat',
  ];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
