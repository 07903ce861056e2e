/** The conformance suite of all backends, on those of one process. Prints the outcome as JSON. */

import { createDomain } from 'kds';
import { testConformance } from 'kds/conformance';
import { createArena, openThreadsDomain } from 'kds/threads';

const tests = [];
const groups = [];
const fullName = (name) => [...groups, name].join(' > ');
const describe = (name, body) => {
  groups.push(name);
  body();
  groups.pop();
};
const it = (name, body) => tests.push({ name: fullName(name), body });
it.skip = () => undefined;

const capabilities = ['settled', 'downgrade', 'part-release', 'steal'];
const common = { sync: true, randomRunCount: 50 };

testConformance(
  { describe, it },
  {
    ...common,
    name: 'process',
    capabilities,
    open: async () => {
      const domain = createDomain();
      return { domain, close: () => domain.close() };
    },
  },
);

testConformance(
  { describe, it },
  {
    ...common,
    name: 'threads',
    capabilities: [...capabilities, 'blocking'],
    connects: true,
    open: async () => {
      const arena = createArena();
      const domain = openThreadsDomain(arena);
      return { domain, connect: async () => openThreadsDomain(arena), close: () => domain.close() };
    },
  },
);

const outcome = { passed: [], failed: [] };
for (const { name, body } of tests) {
  try {
    await body();
    outcome.passed.push(name);
  } catch (error) {
    outcome.failed.push(`${name}: ${error?.stack ?? error}`);
  }
}
console.log(`\n${JSON.stringify(outcome)}`);
