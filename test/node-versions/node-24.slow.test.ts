import { testNodeVersion } from './node-version.ts';

testNodeVersion(24);
