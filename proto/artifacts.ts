/** What an artifact may be: checked where one is made, and again where it arrives. */

/** The largest artifact: a checkpoint of 80 million parameters. */
export const MAX_ARTIFACT_BYTES = 1 << 30;
/** The most artifacts of one attempt. */
export const MAX_ARTIFACTS = 10_000;
/** Characters of an artifact's name. */
export const MAX_ARTIFACT_NAME = 200;
/** Bytes of one piece on its way. */
export const ARTIFACT_CHUNK_BYTES = 256 * 1024;

const STEP = /^[A-Za-z0-9_+=@,-][A-Za-z0-9._+=@,-]*$/;

/** What is wrong with an artifact's name, or undefined. Names become paths below a folder, and never leave it. */
export function artifactNameProblem(name: string): string | undefined {
  if (name.length > MAX_ARTIFACT_NAME) return `it has more than ${MAX_ARTIFACT_NAME} characters`;
  if (name.split('/').every((step) => STEP.test(step))) return undefined;
  return 'expected letters, digits and . _ + = @ , - with / between folders, and no folder or file that begins with a dot';
}
