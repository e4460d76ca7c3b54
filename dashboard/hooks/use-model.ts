import { useStdout } from 'ink';
import { useEffect, useSyncExternalStore } from 'react';
import type { Dashboard } from '../dashboard.ts';
import type { Model } from '../state/model.ts';

const FRAME_MS = 100;

/** Returns the dashboard's model, at most ten times a second, and at once after a key. A slow terminal skips frames. */
export function useModel(dashboard: Dashboard): Model {
  const { stdout } = useStdout();
  useEffect(() => {
    const timer = setInterval(() => {
      if (!stdout.writableNeedDrain) dashboard.tick();
    }, FRAME_MS);
    return () => clearInterval(timer);
  }, [dashboard, stdout]);
  return useSyncExternalStore(dashboard.subscribe, dashboard.model);
}
