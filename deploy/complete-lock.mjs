// Adds the packages of other platforms to package-lock.json. Run this script after `npm install` if the registry has
// only the packages of this platform (see setup/platform-packages.mjs).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './setup/common.mjs';
import { missingPlatformPackages } from './setup/platform-packages.mjs';

const file = join(CHECKOUT, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = missingPlatformPackages(lock);
const { '': root, ...rest } = { ...lock.packages, ...missing };
lock.packages = { '': root, ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))) };
if (Object.keys(missing).length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: added ${Object.keys(missing).length} packages of other platforms`);
