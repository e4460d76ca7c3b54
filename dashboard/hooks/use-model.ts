import { useStdout } from 'ink';
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import { type Dashboard, FRAME_MS } from '../dashboard.ts';
import type { Model } from '../state/model.ts';

export interface ShownModel {
  readonly model: Model;
  /** Postpones the next model by a full interval, because a key press has just caused a frame. */
  readonly postpone: () => void;
}

/**
 * Returns the dashboard's newest model. The model changes immediately after a key, and otherwise at most ten times per
 * second. Models are skipped while a slow terminal has not received the previous frame.
 */
export function useModel(dashboard: Dashboard): ShownModel {
  const { stdout } = useStdout();
  const timer = useRef<NodeJS.Timeout>(undefined);
  useEffect(() => {
    timer.current = setInterval(() => {
      if (!stdout.writableNeedDrain) dashboard.tick();
    }, FRAME_MS);
    return () => clearInterval(timer.current);
  }, [dashboard, stdout]);
  const postpone = useCallback(() => {
    timer.current?.refresh();
  }, []);
  return { model: useSyncExternalStore(dashboard.subscribe, dashboard.model), postpone };
}
