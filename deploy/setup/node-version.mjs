// Kept to what the first Nodes with modules could parse: this has to run there to say that they are too old.

/** The oldest Node that trawl's dependencies run on; the same as `engines.node` of package.json. */
export const MINIMUM_NODE = '20.19.0';

/**
 * What is wrong with a Node version, as a message for a person, or null.
 * @param {string} version as in process.versions.node, such as `18.17.1`
 * @returns {string | null}
 */
export function nodeProblem(version) {
  const have = version.split('.').map(Number);
  const want = MINIMUM_NODE.split('.').map(Number);
  const differs = want.findIndex((part, i) => have[i] !== part);
  if (differs === -1 || have[differs] > want[differs]) return null;
  return `trawl needs Node ${MINIMUM_NODE} or later, and this is Node ${version}.
Install a newer one from https://nodejs.org, or with a version manager: \`nvm install 22\` or \`fnm install 22\`.`;
}

/** Ends the process with the message if this Node is too old. */
export function requireNode() {
  const problem = nodeProblem(process.versions.node);
  if (problem === null) return;
  console.error(problem);
  process.exit(1);
}
