/** The watchdog: tells of grants that are held for long, once each, and does no more. */

import { createDomain, type HoldWarning } from 'kds';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChildProcesses } from './child.ts';

const exclusive = { exclusive: 'a' };
const shared = { shared: 'a' };
const dayMs = 86_400_000;

describe('holdWarningMs', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function watched(holdWarningMs = 1000) {
    const warnings: HoldWarning[] = [];
    const onHoldWarning = (warning: HoldWarning) => void warnings.push(warning);
    return { domain: createDomain({ holdWarningMs, onHoldWarning, label: 'main' }), warnings };
  }

  it('names a grant: its label, session, set, token, time and waiters', () => {
    const { domain, warnings } = watched();
    const session = domain.session({ label: 'request 7' });
    const set = { exclusive: ['a'], shared: ['b'] };
    const grant = session.acquireSync(set, { label: 'import' });
    for (let count = 0; count < 3; count++) domain.enqueue(shared, () => {});
    vi.advanceTimersByTime(999);
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(10);
    expect(warnings).toEqual([
      {
        id: expect.any(Number),
        token: grant.token,
        set,
        label: 'import',
        session: 'request 7',
        heldMs: expect.any(Number),
        pendingCount: 3,
      },
    ]);
    expect(warnings[0]?.heldMs).toBeGreaterThanOrEqual(1000);
    expect(warnings[0]?.heldMs).toBeLessThan(1010);
    expect(domain.querySync().held[0]?.id).toBe(warnings[0]?.id);
  });

  it('warns once of each, and of each in its own time', () => {
    const { domain, warnings } = watched();
    const names = () => warnings.splice(0).map(({ set }) => set.exclusive[0]);
    domain.acquireSync({ exclusive: 'first' });
    vi.advanceTimersByTime(600);
    domain.acquireSync({ exclusive: 'second' });
    vi.advanceTimersByTime(410);
    expect(names()).toEqual(['first']);
    vi.advanceTimersByTime(600);
    expect(names()).toEqual(['second']);
    vi.advanceTimersByTime(100_000);
    domain.acquireSync({ exclusive: 'third' });
    vi.advanceTimersByTime(1010);
    expect(names()).toEqual(['third']);
  });

  it('revokes nothing', () => {
    const { domain, warnings } = watched();
    const grant = domain.acquireSync(exclusive);
    vi.advanceTimersByTime(100_000);
    expect(warnings).toHaveLength(1);
    expect(grant.signal.aborted).toBe(false);
    expect(domain.tryAcquireSync(shared)).toBe(null);
    grant.downgrade();
    grant.release();
  });

  it('does not warn of grants released in time, nor of waiting sets', () => {
    const { domain, warnings } = watched();
    const holder = domain.acquireSync(exclusive);
    domain.enqueue(exclusive, (grant) => grant.release(), { delivery: 'direct' });
    vi.advanceTimersByTime(990);
    holder.release();
    vi.advanceTimersByTime(100_000);
    expect(warnings).toEqual([]);
  });

  it('counts from the grant, not from the request', () => {
    const { domain, warnings } = watched();
    const holder = domain.acquireSync(exclusive);
    domain.enqueue(exclusive, () => {}, { label: 'second', delivery: 'direct' });
    vi.advanceTimersByTime(900);
    holder.release();
    vi.advanceTimersByTime(900);
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(110);
    expect(warnings).toMatchObject([{ label: 'second' }]);
  });

  it('asks for no time when nothing is held', () => {
    const { domain } = watched();
    domain.acquireSync(exclusive).release();
    vi.advanceTimersByTime(5000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not misled when the clock of the system is set', () => {
    const { domain, warnings } = watched();
    domain.acquireSync(exclusive);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(500);
    domain.acquireSync({ exclusive: 'b' }).release();
    expect(warnings).toEqual([]);
    vi.setSystemTime(Date.now() - 7_200_000);
    vi.advanceTimersByTime(510);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.heldMs).toBeGreaterThanOrEqual(1000);
    expect(warnings[0]?.heldMs).toBeLessThan(1020);
  });

  it('is right in a process that has run for long', () => {
    const { domain, warnings } = watched();
    vi.advanceTimersByTime(25 * dayMs);
    domain.acquireSync(exclusive).release();
    domain.acquireSync(exclusive);
    vi.advanceTimersByTime(900);
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(25 * dayMs);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.heldMs).toBeLessThan(1020);
  });

  it('a report may release, ask and close', () => {
    const told: number[] = [];
    const domain = createDomain({
      holdWarningMs: 1000,
      onHoldWarning: ({ token }) => {
        told.push(token);
        first.release();
        if (told.length === 1) domain.acquireSync({ exclusive: 'b' });
        else void domain.close();
      },
    });
    const first = domain.acquireSync(exclusive);
    vi.advanceTimersByTime(10_000);
    expect(told).toHaveLength(2);
    expect(domain.querySync().held).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('warns through the process, or else the console, without a listener', () => {
    const emitWarning = vi.fn();
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    vi.stubGlobal('process', { emitWarning });
    try {
      const domain = createDomain({ holdWarningMs: 1000 });
      domain.acquireSync({ exclusive: ['a', 'x'.repeat(60_000)] }, { label: 'import' });
      domain.acquireSync({ shared: 'b' });
      domain.enqueue(shared, () => {});
      vi.advanceTimersByTime(1010);
      expect(emitWarning).toHaveBeenCalledTimes(2);
      const [text, kind] = emitWarning.mock.calls[0] ?? [];
      expect(kind).toBe('KdsHoldWarning');
      expect(text).toMatch(
        /^"import" has held "a", "x{60}…" for 1\d\d\d ms, and 1 request\(s\) wait/,
      );
      expect(text.length).toBeLessThan(300);
      expect(emitWarning.mock.calls[1]?.[0]).toMatch(/^a grant has held "b" for/);
      expect(warn).not.toHaveBeenCalled();

      vi.stubGlobal('process', undefined);
      domain.acquireSync({ shared: 'c' });
      vi.advanceTimersByTime(1010);
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toContain('kds: a grant has held "c"');
    } finally {
      vi.unstubAllGlobals();
      warn.mockRestore();
    }
  });
});

describe('holdWarningMs, in a process of its own', () => {
  let children: ChildProcesses;
  beforeAll(async () => {
    children = await ChildProcesses.prepare();
  });

  it('keeps no process alive', () => {
    const { status, stderr } = children.run(`
      import { createDomain } from './kds.js';
      createDomain({ holdWarningMs: 1e6 }).acquireSync({ exclusive: 'a' });
    `);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('a report that throws stops no other, and is an uncaught exception', () => {
    const told = children.ask(`
      import { createDomain } from './kds.js';
      const told = [];
      let later;
      process.on('uncaughtException', (error) => told.push('uncaught ' + error.message));
      const domain = createDomain({
        holdWarningMs: 10,
        onHoldWarning({ label }) {
          told.push(label);
          if (label === 'late') clearInterval(alive);
          throw new Error(label);
        },
      });
      const alive = setInterval(() => {}, 1000);
      domain.acquireSync({ exclusive: 'a' }, { label: 'first' });
      domain.acquireSync({ exclusive: 'b' }, { label: 'second' });
      setTimeout(() => domain.acquireSync({ exclusive: 'c' }, { label: 'late' }), 5);
      process.on('exit', () => console.log(JSON.stringify(told)));
    `) as string[];
    expect(told.sort()).toEqual([
      'first',
      'late',
      'second',
      'uncaught first',
      'uncaught late',
      'uncaught second',
    ]);
  });

  it('warns once each through process.emitWarning', () => {
    const { status, stderr } = children.run(`
      import { createDomain } from './kds.js';
      const domain = createDomain({ holdWarningMs: 1 });
      domain.acquireSync({ exclusive: 'a' }, { label: 'import' });
      process.on('warning', (warning) => {
        if (warning.name === 'KdsHoldWarning') clearInterval(alive);
      });
      const alive = setInterval(() => {}, 1000);
    `);
    expect(status).toBe(0);
    expect(stderr.match(/KdsHoldWarning: "import" has held "a"/g)).toHaveLength(1);
  });
});
