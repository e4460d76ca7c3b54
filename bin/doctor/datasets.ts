import type { DatasetStatus } from '../../agent/data/status.ts';
import type { Finding } from './finding.ts';

/** A line for each data set. One that is not cached yet is fetched when a trial first asks for it. */
export function datasetFinding({ name, state, detail }: DatasetStatus): Finding {
  const about = { name: `data set ${name}`, detail, needed: false };
  switch (state) {
    case 'cached':
      return { ...about, state: 'ok' };
    case 'missing':
      return { ...about, state: 'warning', mend: 'nothing to do: it is fetched when a trial first asks for it' };
    case 'damaged':
      return { ...about, state: 'missing', needed: true };
  }
}
