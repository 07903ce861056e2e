/**
 * The circular wait that double buffering can reach (kds.txt): the display holds F0 until F1 is
 * shown; a job wants both; F1 is to be shown when the job is through.
 */

import { DeadlockError, type SyncDomain } from 'kds';
import { createDisplay, manualVsync } from 'kds/display';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, nothing } from '../jobs/domains.ts';

const f0 = { resource: 'F0' };
const f1 = { resource: 'F1' };
const f2 = { resource: 'F2' };

describe.each(backends)('a deadlock through a display on the backend %s', (_, open) => {
  const showFirst = (domain: SyncDomain) => {
    const vsync = manualVsync();
    const display = createDisplay(domain, { buffers: [f0, f1, f2], vsync, label: 'LCD' });
    display.present(f0);
    vsync.tick();
    vsync.tick();
    expect(display.shown?.buffer).toBe(f0);
    return { vsync, display };
  };

  it('is refused as the flip is presented, with its name, and leaves nothing behind', async () => {
    const domain = open();
    const { display } = showFirst(domain);
    const job = domain.acquire({ exclusive: ['F0', 'F1'] }, { label: 'job 1' });
    let refused: unknown;
    try {
      display.present(f1);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(DeadlockError);
    expect((refused as DeadlockError).message).toMatch(/LCD.*job 1/s);
    expect(domain.querySync().pending.map(({ label }) => label)).toEqual(['job 1']);
    // The way out: another frame is shown.
    display.present(f2);
    await display.close();
    (await job).release();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('is refused when its turn comes, if it was presented before', async () => {
    const domain = open();
    const { vsync, display } = showFirst(domain);
    const drawing = domain.acquireSync({ exclusive: 'F1' });
    const second = display.present(f1); // behind a producer that is at work
    const both = domain.acquire({ exclusive: ['F1', 'F2'] }, { label: 'job 2' });
    const third = display.present(f2); // waits for job 2, which waits for what is shown before it
    const told = failureOf(third.outcome);
    vsync.tick();
    expect(third.state).toBe('pending');
    drawing.release();
    vsync.tick();
    vsync.tick();
    expect([second.state, third.state]).toEqual(['shown', 'refused']);
    const error = (await told) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toMatch(/LCD .*flip 3 would never be shown.*"job 2".*"F1"/s);
    expect(error.cycle.map(({ isHeld, set }) => [isHeld, set.exclusive, set.shared])).toEqual([
      [false, [], ['F2']],
      [false, ['F1', 'F2'], []],
      [true, [], ['F1']],
    ]);
    const fourth = display.present(f0);
    vsync.tick();
    vsync.tick();
    expect(fourth.state).toBe('shown');
    (await both).release();
    await display.close();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('is not seen where a frame ahead will free what the job waits for', async () => {
    const domain = open();
    const { vsync, display } = showFirst(domain);
    const drawing = domain.acquireSync({ exclusive: 'F1' });
    const second = display.present(f1);
    const job = domain.acquire({ exclusive: 'F0' }); // waits for the screen to leave F0
    const third = display.present(f0); // and that happens when F1 is shown
    for (let tick = 0; tick < 3; tick++) vsync.tick();
    expect([second.state, third.state]).toEqual(['pending', 'pending']);
    drawing.release();
    vsync.tick();
    vsync.tick();
    (await job).release();
    vsync.tick();
    vsync.tick();
    expect([second.state, third.state]).toEqual(['replaced', 'shown']);
    await display.close();
    expect(domain.querySync()).toEqual(nothing);
  });
});
