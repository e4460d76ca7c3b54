// This module uses only syntax that the first Node versions with modules can parse, because it also runs on these
// versions, and reports that they are too old.

/** The oldest Node version that trawl supports; the same as `engines.node` in package.json. */
export const MINIMUM_NODE = '20.19.0';

/**
 * Returns null if a Node version can run trawl. Otherwise returns two lines: the reason, and how to install a newer
 * version.
 * @param {string} version as in process.versions.node, such as `18.17.1`
 * @returns {string | null}
 */
export function nodeProblem(version) {
  const installed = version.split('.').map(Number);
  const required = MINIMUM_NODE.split('.').map(Number);
  const differs = required.findIndex((part, i) => installed[i] !== part);
  if (differs === -1 || Number(installed[differs]) > Number(required[differs])) return null;
  return `trawl needs Node ${MINIMUM_NODE} or later, but this is Node ${version}.
Install a newer version from https://nodejs.org or with a version manager: \`nvm install 22\` or \`fnm install 22\`.`;
}

/** Prints the problem and exits with code 1 if this Node version is too old. */
export function requireNode() {
  const problem = nodeProblem(process.versions.node);
  if (problem === null) return;
  console.error(problem);
  process.exit(1);
}
