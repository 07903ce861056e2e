/** node:crypto of the simulated system: chance comes from the seed. */

import { theSystem } from './system.ts';

export { createHash } from 'node:crypto';

export function randomBytes(count: number): Buffer {
  const { random } = theSystem();
  return Buffer.from(Array.from({ length: count }, () => random.below(256)));
}
