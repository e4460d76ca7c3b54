/** The oldest Node that trawl's dependencies run on. */
export const MINIMUM_NODE: string;

/** What is wrong with a Node version such as `18.17.1`, and on a second line how to mend it; null: nothing. */
export function nodeProblem(version: string): string | null;

/** Ends the process with the message if this Node is too old. */
export function requireNode(): void;
