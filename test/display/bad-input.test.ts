/** What a display is not made with, what it does not show, and vsyncs. */

import { createDomain } from 'kds';
import {
  animationFrameVsync,
  createDisplay,
  type DisplayOptions,
  manualVsync,
  timerVsync,
  type VsyncEvent,
} from 'kds/display';
import { describe, expect, it } from 'vitest';
import { nothing } from '../jobs/domains.ts';

const buffers = [{ resource: 'a' }, { resource: 'b' }];
const vsync = manualVsync();
type Options = DisplayOptions<{ resource: string }>;

describe('a display', () => {
  it.each<[string, unknown, unknown]>([
    ['nothing', undefined, TypeError],
    ['no buffers', { vsync }, TypeError],
    ['one buffer', { vsync, buffers: [{ resource: 'a' }] }, RangeError],
    ['seventeen', { vsync, buffers: Array(17).fill({ resource: 'a' }) }, RangeError],
    ['buffers without a resource', { vsync, buffers: [{}, {}] }, TypeError],
    ['no vsync', { buffers }, TypeError],
    ['a mode that is none', { vsync, buffers, mode: 'lifo' }, TypeError],
    ['a deadline that is none', { vsync, buffers, deadlineMs: -1 }, RangeError],
    ['an onShown that is none', { vsync, buffers, onShown: 1 }, TypeError],
    ['a label that is too long', { vsync, buffers, label: 'x'.repeat(1025) }, Error],
  ])('is not made with %s', (_, options, kind) => {
    const make = (): unknown => createDisplay(createDomain(), options as Options);
    expect(make).toThrow(kind as typeof TypeError);
  });

  it('is not made without a domain', () => {
    expect(() => createDisplay({} as never, { vsync, buffers })).toThrow(TypeError);
  });

  it('shows only its own buffers, by numbers that are numbers', async () => {
    const domain = createDomain();
    const display = createDisplay(domain, { vsync, buffers });
    const [own] = display.buffers as [{ resource: string }];
    expect(() => display.present({ resource: 'a' })).toThrow(TypeError);
    expect(() => display.present(own, { number: 0.5 })).toThrow(TypeError);
    expect(() => display.present(own, null as never)).toThrow(TypeError);
    await expect(display.acquireBuffer({ timeoutMs: -1 })).rejects.toThrow(RangeError);
    expect([display.present(own, { number: 41 }), display.present(own)]).toMatchObject([
      { number: 41 },
      { number: 42 },
    ]);
    await display.close();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('takes 1024 flips in line, and no more', async () => {
    const domain = createDomain();
    const display = createDisplay(domain, { vsync, buffers });
    const [own] = display.buffers as [{ resource: string }];
    const drawing = domain.acquireSync({ exclusive: 'a' });
    for (let flip = 0; flip < 1024; flip++) display.present(own);
    expect(() => display.present(own)).toThrow(expect.objectContaining({ code: 'KDS_LIMIT' }));
    await display.close();
    drawing.release();
    expect(domain.querySync()).toEqual(nothing);
  });
});

describe('a vsync', () => {
  it('by timer is on time, does not drift, and counts those it has missed', async () => {
    expect(() => timerVsync({ hz: 0 })).toThrow(RangeError);
    expect(() => timerVsync({ hz: '60' as never })).toThrow(TypeError);
    const source = timerVsync({ hz: 250 });
    const events: VsyncEvent[] = [];
    const latenessMs: number[] = [];
    await new Promise<void>((resolve) => {
      const stop = source.start((event) => {
        events.push(event);
        latenessMs.push(source.now() - event.timeMs);
        if (events.length === 10) {
          // Busy for three periods and more.
          const untilMs = source.now() + 14;
          while (source.now() < untilMs);
        }
        if (events.length < 40) return;
        stop();
        resolve();
      });
    });
    const numbers = events.map(({ number }) => number);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(40);
    expect((numbers[10] as number) - (numbers[9] as number)).toBeGreaterThanOrEqual(3);
    const [first, last] = [events[0], events[39]] as [VsyncEvent, VsyncEvent];
    const periods = (last.timeMs - first.timeMs) / 4;
    expect(periods).toBeCloseTo(last.number - first.number, 6);
    expect(Math.min(...latenessMs)).toBeGreaterThanOrEqual(0);
  });

  it('by animation frames wants a browser', () => {
    expect(() => animationFrameVsync()).toThrow('timerVsync');
  });

  it('by hand goes forward only', () => {
    const source = manualVsync();
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => source.advance(ms)).toThrow(RangeError);
      expect(() => source.tick(ms)).toThrow(RangeError);
    }
    expect(() => source.advance('5' as never)).toThrow(TypeError);
    expect(() => source.tick(null as never)).toThrow(TypeError);
    expect(source.now()).toBe(0);
  });
});
