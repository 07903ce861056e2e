/** A flip's way to the screen, step by step, by a vsync that comes when it is told to. */

import { createDomain, type SyncDomain, type SyncGrant } from 'kds';
import { createDisplay, manualVsync, type ShownFrame } from 'kds/display';
import { createJobQueue } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, Gate, nothing, turn } from '../jobs/domains.ts';

interface Buffer {
  readonly resource: string;
}

const chain = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => ({ resource: `frame ${index}` }));

/** A domain whose releases are messages: each resolves, or rejects, when `reply` is called. */
const withMessages = () => {
  const domain = createDomain();
  const replies: (() => void)[] = [];
  const enqueue: SyncDomain['enqueue'] = (set, onGrant, options) => {
    const onOwn = (grant: SyncGrant): void => {
      const release = grant.release.bind(grant);
      const send = async (): Promise<void> => {
        release();
        await new Promise<void>((resolve) => replies.push(resolve));
        throw new Error('the server is gone');
      };
      onGrant(Object.assign(grant, { release: send }));
    };
    return domain.enqueue(set, onOwn, options);
  };
  return { domain: Object.assign(Object.create(domain), { enqueue }) as SyncDomain, replies };
};

it('a display is closed when each release is over, also one that fails', async () => {
  const { domain, replies } = withMessages();
  const vsync = manualVsync();
  const buffers = chain(4);
  const display = createDisplay(domain, { buffers, vsync });
  for (const buffer of buffers) display.present(buffer);
  vsync.tick();
  vsync.tick();
  let isClosed = false;
  const first = display.close();
  // A second call waits as well.
  const closed = display.close().then(() => {
    isClosed = true;
  });
  // One frame is on the screen, one is latched, and two are ready.
  while (replies.length < 4) await turn();
  for (const reply of replies.slice(0, 3)) reply();
  await turn();
  expect(isClosed).toBe(false);
  replies[3]?.();
  await Promise.all([first, closed]);
});

describe.each(backends)('a display on the backend %s', (_, open) => {
  /** A display, and renderers that are through when they are told to be. */
  const scene = (
    count: number,
    options: { mode?: 'fifo' | 'mailbox'; deadlineMs?: number } = {},
  ) => {
    const domain = open();
    const vsync = manualVsync();
    const buffers = chain(count);
    const seen: number[] = [];
    const onShown = ({ number }: ShownFrame<Buffer>): void => void seen.push(number);
    const display = createDisplay(domain, { buffers, vsync, onShown, ...options });
    const queue = createJobQueue(domain, { onFailure: () => {} });
    const render = (index: number) => {
      const gate = new Gate();
      const buffer = buffers[index] as Buffer;
      const job = queue.submit({ writes: buffer.resource, run: () => gate.passed });
      return {
        job,
        flip: display.present(buffer),
        finish: async () => {
          gate.open();
          await job.done;
        },
      };
    };
    const isFree = (index: number): boolean => {
      const grant = domain.tryAcquireSync({ exclusive: (buffers[index] as Buffer).resource });
      grant?.release();
      return grant !== null;
    };
    const end = async (): Promise<void> => {
      await display.close();
      await queue.close();
      expect(domain.querySync()).toEqual(nothing);
    };
    return { domain, vsync, buffers, seen, display, queue, render, isFree, end };
  };

  it('latches a frame at the vsync after its rendering, and shows it at the next', async () => {
    const { vsync, seen, display, render, isFree, end } = scene(2);
    const first = render(0);
    vsync.tick();
    expect([first.flip.state, display.shown]).toEqual(['pending', undefined]);
    await first.finish();
    expect(first.flip.state).toBe('ready');
    vsync.tick();
    expect([first.flip.state, seen]).toEqual(['latched', []]);
    vsync.tick();
    expect([first.flip.state, seen]).toEqual(['shown', [0]]);
    expect(await first.flip.outcome).toBe('shown');

    const second = render(1);
    await second.finish();
    vsync.tick();
    // For one period it holds both.
    expect([second.flip.state, isFree(0), isFree(1)]).toEqual(['latched', false, false]);
    vsync.tick();
    expect([second.flip.state, isFree(0), isFree(1)]).toEqual(['shown', true, false]);
    expect([first.flip.state, display.shown?.number]).toEqual(['replaced', 1]);
    await end();
    expect([isFree(0), isFree(1)]).toEqual([true, true]);
  });

  it('lets the next job into a buffer begin when the frame before is on no screen', async () => {
    const { vsync, render, end } = scene(2);
    const frames = [render(0), render(1), render(0)];
    await frames[0]?.finish();
    await frames[1]?.finish();
    vsync.tick();
    vsync.tick();
    expect(frames.map(({ flip }) => flip.state)).toEqual(['shown', 'latched', 'pending']);
    await turn();
    expect(frames[2]?.job.state).toBe('enqueued');
    vsync.tick();
    await frames[2]?.job.started;
    await frames[2]?.finish();
    vsync.tick();
    vsync.tick();
    expect(frames[2]?.flip.state).toBe('shown');
    await end();
  });

  it('fifo: shows every frame in the order of present, whichever is through first', async () => {
    const { vsync, seen, render, display, end } = scene(3);
    const frames = [render(0), render(1), render(2)];
    await frames[2]?.finish();
    await frames[1]?.finish();
    for (let tick = 0; tick < 3; tick++) vsync.tick();
    expect(seen).toEqual([]);
    await frames[0]?.finish();
    for (let tick = 0; tick < 4; tick++) vsync.tick();
    expect(seen).toEqual([0, 1, 2]);
    expect(display.statistics()).toMatchObject({ presented: 3, shown: 3, dropped: 0, vsyncs: 7 });
    await end();
  });

  it('mailbox: the newest that is ready wins, and lets go of the others at once', async () => {
    const { vsync, seen, render, display, isFree, end } = scene(4, { mode: 'mailbox' });
    const frames = [render(0), render(1), render(2), render(3)];
    await frames[1]?.finish();
    expect(frames.map(({ flip }) => flip.state)).toEqual([
      'dropped',
      'ready',
      'pending',
      'pending',
    ]);
    await frames[2]?.finish();
    expect(isFree(1)).toBe(true);
    vsync.tick();
    vsync.tick();
    expect(seen).toEqual([2]);
    await frames[0]?.finish();
    await frames[3]?.finish();
    vsync.tick();
    vsync.tick();
    expect(seen).toEqual([2, 3]);
    expect(await frames[0]?.flip.outcome).toBe('dropped');
    expect(display.statistics()).toMatchObject({ shown: 2, dropped: 2 });
    await end();
  });

  it('gives a hung producer up after its deadline, and the chain goes on', async () => {
    const { vsync, seen, render, display, end } = scene(3, { deadlineMs: 50 });
    const [good, hung, next] = [render(0), render(1), render(2)];
    await good.finish();
    await next.finish();
    for (let tick = 0; tick < 3; tick++) vsync.tick(20);
    expect([hung.flip.state, display.shown?.number]).toEqual(['pending', 0]);
    vsync.tick(20); // 60 ms after its turn came: given up, and the next one latched
    expect(await hung.flip.outcome).toBe('expired');
    vsync.tick(20);
    expect(seen).toEqual([0, 2]);
    expect(display.statistics()).toMatchObject({ expired: 1, missed: 2 });
    // Only now it is through; nobody waits for it any more.
    await hung.finish();
    await end();
  });

  it('never shows what a failed producer has left', async () => {
    const { vsync, seen, buffers, queue, display, render, end } = scene(2);
    const good = render(0);
    await good.finish();
    const buffer = buffers[1] as Buffer;
    const bad = queue.submit({
      writes: buffer.resource,
      run: () => {
        throw new Error('half drawn');
      },
    });
    const flip = display.present(buffer);
    await failureOf(bad.done);
    expect(await flip.outcome).toBe('failed');
    const repaired = render(1);
    await repaired.finish();
    for (let tick = 0; tick < 4; tick++) vsync.tick();
    expect(seen).toEqual([0, 2]);
    await end();
  });

  it('can cancel a frame that it has not latched', async () => {
    const { vsync, seen, render, end } = scene(3);
    const frames = [render(0), render(1)];
    await frames[0]?.finish();
    vsync.tick();
    expect(frames.map(({ flip }) => flip.cancel())).toEqual([false, true]);
    expect(await frames[1]?.flip.outcome).toBe('cancelled');
    vsync.tick();
    expect(seen).toEqual([0]);
    await frames[1]?.finish();
    await end();
  });

  it('gives whichever buffer is free first to a producer that does not mind', async () => {
    const { domain, vsync, display, buffers, isFree, end } = scene(2, { mode: 'mailbox' });
    const [one, two] = [await display.acquireBuffer(), await display.acquireBuffer()];
    expect(new Set([one.buffer, two.buffer])).toEqual(new Set(buffers));
    const third = display.acquireBuffer();
    const stop = new AbortController();
    const fourth = failureOf(display.acquireBuffer({ signal: stop.signal }));
    two.grant.release();
    const { buffer, grant } = await third;
    expect(buffer).toBe(two.buffer);
    stop.abort('enough');
    expect(await fourth).toBe('enough');
    display.present(buffer);
    grant.release();
    one.grant.release();
    vsync.tick();
    vsync.tick();
    expect(display.shown?.buffer).toBe(buffer);
    expect(isFree(buffers.indexOf(one.buffer))).toBe(true);
    expect(domain.querySync().pending).toEqual([]);
    await end();
  });

  it('gives a free buffer to a producer that does not wait, whichever that is', async () => {
    const { domain, display, buffers, end } = scene(3);
    const held = [0, 1, 2].map((index) => {
      return domain.acquireSync({ exclusive: (buffers[index] as Buffer).resource });
    });
    expect(await failureOf(display.acquireBuffer({ timeoutMs: 0 }))).toMatchObject({
      code: 'KDS_WAIT_TIMEOUT',
    });
    held[1]?.release();
    const { buffer, grant } = await display.acquireBuffer({ timeoutMs: 0 });
    expect(buffer).toBe(buffers[1]);
    expect(domain.querySync().held).toHaveLength(3);
    expect(domain.querySync().pending).toEqual([]);
    for (const each of [held[0], held[2], grant]) each?.release();
    await end();
  });

  it('refuses a producer whose time is over once, and leaves nothing queued', async () => {
    const { domain, display, buffers, end } = scene(2);
    const held = buffers.map(({ resource }) => domain.acquireSync({ exclusive: resource }));
    expect(await failureOf(display.acquireBuffer({ timeoutMs: 1 }))).toMatchObject({
      code: 'KDS_WAIT_TIMEOUT',
    });
    expect(domain.querySync().pending).toEqual([]);
    for (const grant of held) grant.release();
    await end();
  });

  it('measures from the end of the rendering to the latch and to the screen', async () => {
    const { vsync, render, display, end } = scene(2);
    const frame = render(0);
    await frame.finish();
    vsync.advance(6);
    vsync.tick(4);
    vsync.tick(16);
    vsync.tick(16);
    const { toLatch, toScreen, missed, skipped } = display.statistics();
    expect([toLatch.count, toLatch.maxMs, toLatch.p50Ms]).toEqual([1, 10, 10]);
    expect([toScreen.maxMs, toScreen.p99Ms]).toEqual([26, 26]);
    expect([missed, skipped]).toEqual([0, 0]);
    await end();
  });

  it('that is closed shows nothing more and holds nothing', async () => {
    const { domain, vsync, seen, render, display, buffers, end } = scene(3);
    const frames = [render(0), render(1), render(2)];
    await frames[0]?.finish();
    vsync.tick();
    vsync.tick();
    await frames[1]?.finish();
    vsync.tick();
    await display.close();
    vsync.tick();
    expect(seen).toEqual([0]);
    expect(frames.map(({ flip }) => flip.state)).toEqual(['shown', 'cancelled', 'cancelled']);
    expect(() => display.present(buffers[0] as Buffer)).toThrow('closed');
    await expect(display.acquireBuffer()).rejects.toThrow('closed');
    await frames[2]?.finish();
    expect(domain.querySync()).toEqual(nothing);
    await end();
  });

  it('that is closed refuses producers that wait, not those that have a buffer', async () => {
    const { domain, display, end } = scene(2);
    const [one, two] = [await display.acquireBuffer(), await display.acquireBuffer()];
    const refused = [
      failureOf(display.acquireBuffer()),
      failureOf(display.acquireBuffer({ timeoutMs: 1_000_000 })),
    ];
    await display.close();
    expect(domain.querySync().pending).toEqual([]);
    for (const error of await Promise.all(refused)) {
      expect(error).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    }
    expect([one, two].map(({ grant }) => grant.isHeld)).toEqual([true, true]);
    one.grant.release();
    two.grant.release();
    await end();
  });

  it('that is closed cancels a flip that the end of a producer unblocks', async () => {
    const { domain, display, buffers, end } = scene(2);
    // So the flip would fail if it were granted.
    for (const { resource } of buffers) domain.acquireSync({ exclusive: resource }).abandon();
    const readers = buffers.map(({ resource }) => domain.acquireSync({ shared: resource }));
    const refused = failureOf(display.acquireBuffer());
    const flip = display.present(buffers[0] as Buffer);
    expect(flip.state).toBe('pending');
    await display.close();
    expect(await refused).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect([flip.state, display.statistics().failed]).toEqual(['cancelled', 0]);
    for (const reader of readers) reader.release();
    await end();
  });

  it('refuses its flips if the domain is closed', async () => {
    const { domain, render, display } = scene(2);
    const frame = render(0);
    const told = failureOf(frame.flip.outcome);
    await domain.close();
    expect(await told).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(display.statistics().refused).toBe(1);
    await display.close();
  });
});
