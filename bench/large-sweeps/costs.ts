/** The costs of a coordinator that has opened a store. */
export const COSTS = [
  { name: 'restartMs', title: 'restart', unit: 'ms' },
  { name: 'bestMs', title: 'best', unit: 'ms' },
  { name: 'showMs', title: 'show', unit: 'ms' },
  { name: 'submitMs', title: 'submit', unit: 'ms' },
  { name: 'pauseMs', title: 'pause', unit: 'ms' },
  { name: 'killMs', title: 'kill', unit: 'ms' },
  { name: 'residentMiB', title: 'memory', unit: 'MiB' },
  { name: 'peakMiB', title: 'peak', unit: 'MiB' },
] as const satisfies readonly { readonly name: string; readonly title: string; readonly unit: 'ms' | 'MiB' }[];

export type Costs = Readonly<Record<(typeof COSTS)[number]['name'], number>>;
