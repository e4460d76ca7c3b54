import { type Line, line } from '../../lib/text/segment.ts';
import { wrapped } from '../draw/wrap.ts';
import type { Model } from '../state/model.ts';

/** Why a trial does not run, in the coordinator's words. */
export function explainView({ explained }: Pick<Model, 'explained'>, columns: number): Line[] {
  if (explained.length === 0) return [line('asking the coordinator...', 'dim')];
  return explained.flatMap((text) => wrapped(text, columns, undefined, '    '));
}
