/** The suite is not made to the measure of one host: a second one passes it. */

import { testConformance } from 'kds/conformance';
import { describe, it } from 'vitest';
import { isTooLongForNaive, naiveBackend } from './naive-backend.ts';

const register = (name: string, body: () => Promise<void>): void => {
  if (!isTooLongForNaive(name)) it(name, body);
};

testConformance({ describe, it: Object.assign(register, { skip: it.skip }) }, naiveBackend());
