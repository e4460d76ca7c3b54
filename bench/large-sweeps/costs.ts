/** The measured times and memory of a coordinator that opens a store and then serves it. */
export const COSTS = [
  { name: 'restartMs', title: 'restart', unit: 'ms' },
  { name: 'bestMs', title: 'best', unit: 'ms' },
  { name: 'bestCpuMs', title: 'best (CPU)', unit: 'ms' },
  { name: 'showMs', title: 'show', unit: 'ms' },
  { name: 'submitMs', title: 'submit', unit: 'ms' },
  { name: 'pauseMs', title: 'pause', unit: 'ms' },
  { name: 'killMs', title: 'kill', unit: 'ms' },
  { name: 'residentMiB', title: 'memory', unit: 'MiB' },
  { name: 'peakMiB', title: 'peak', unit: 'MiB' },
] as const satisfies readonly { readonly name: string; readonly title: string; readonly unit: 'ms' | 'MiB' }[];

export type Costs = Readonly<Record<(typeof COSTS)[number]['name'], number>>;
