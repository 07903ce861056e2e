import { createDomain } from 'kds';
import { testConformance } from 'kds/conformance';
import { describe, it } from 'vitest';

testConformance(
  { describe, it },
  {
    name: 'the process backend',
    capabilities: ['settled', 'downgrade', 'part-release', 'steal', 'units'],
    sync: true,
    direct: true,
    open: async () => {
      const domain = createDomain();
      return { domain, close: () => domain.close() };
    },
  },
);
