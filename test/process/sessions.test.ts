/** Sessions as the snapshot tells of them. */

import { createDomain } from 'kds';
import { describe, expect, it } from 'vitest';

describe('a session', () => {
  it('is in the entries of its requests, labelled or not, held or waiting', () => {
    const domain = createDomain({ label: 'main' });
    const session = domain.session({ label: 'request 7' });
    const exclusive = { exclusive: 'a' };
    const first = session.acquireSync(exclusive);
    session.enqueue(exclusive, () => {});
    domain.enqueue(exclusive, () => {});
    const before = domain.querySync();
    expect(before.held.map((entry) => entry.session)).toEqual(['request 7']);
    expect(before.pending.map((entry) => entry.session)).toEqual(['request 7', 'main']);
    expect(() => domain.acquireSync(exclusive)).toThrow('held by "request 7"');
    first.release();
    const after = domain.querySync();
    expect(after.held.map((entry) => entry.session)).toEqual(['request 7']);
    expect(after.held.map((entry) => entry.id)).toEqual(
      before.pending.slice(0, 1).map((e) => e.id),
    );
  });
});
