/** The places that the dashboard can show. */

export const PANES = ['sweep', 'parameters', 'agents', 'events', 'sweeps'] as const;
export type Pane = (typeof PANES)[number];

export type View =
  | { readonly kind: Pane }
  | { readonly kind: 'trial' | 'log' | 'explain'; readonly trialId: string }
  | { readonly kind: 'compare' | 'help' };
export type ViewKind = View['kind'];

/** Whose lines a cursor goes along; the others are scrolled. */
export const LIST_VIEWS: readonly ViewKind[] = ['sweep', 'agents', 'events', 'sweeps'];
