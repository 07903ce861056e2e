import { testConformance } from 'kds/conformance';
import { createArena, openThreadsDomain } from 'kds/threads';
import { describe, it } from 'vitest';

testConformance(
  { describe, it },
  {
    name: 'threads',
    capabilities: ['settled', 'downgrade', 'part-release', 'steal', 'blocking', 'units'],
    sync: true,
    connects: true,
    open: async () => {
      const arena = createArena();
      const domain = openThreadsDomain(arena);
      return { domain, connect: async () => openThreadsDomain(arena), close: () => domain.close() };
    },
  },
);
