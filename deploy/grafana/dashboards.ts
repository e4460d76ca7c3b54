/** All dashboards, keyed by file name. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { coordinator } from './coordinator.ts';
import { fleet } from './fleet.ts';
import { sweep } from './sweep.ts';

export const DASHBOARDS: Readonly<Record<string, Dashboard>> = {
  'fleet.json': fleet().build(),
  'sweep.json': sweep().build(),
  'coordinator.json': coordinator().build(),
};
