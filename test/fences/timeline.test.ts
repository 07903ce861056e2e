/** Points that are reached in order, in whatever order they end. */

import { Fence, Timeline } from 'kds/fences';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../jobs/steps.ts';

const bad = new Error('on purpose');
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);

describe('a timeline', () => {
  it('reaches a point when it and all before it have ended', () => {
    const timeline = new Timeline();
    const [one, two, three] = [timeline.add(), timeline.add(), timeline.add()];
    const fences = [one, two, three].map((point) => timeline.point(point));
    const statuses = () => [timeline.value, ...fences.map(({ status }) => status)];
    expect(timeline.signal(three)).toBe(true);
    expect(statuses()).toEqual([0, 'pending', 'pending', 'pending']);
    timeline.signal(one);
    expect(statuses()).toEqual([1, 'ok', 'pending', 'pending']);
    timeline.signal(two);
    expect(statuses()).toEqual([3, 'ok', 'ok', 'ok']);
    expect([one, two, three].map((point) => timeline.signal(point))).toEqual([false, false, false]);
  });

  it('a point of a fence ends with it', () => {
    const timeline = new Timeline();
    const work = new Fence();
    const point = timeline.add(work);
    const done = new Fence();
    done.signal();
    timeline.add(done);
    expect(timeline.value).toBe(0);
    work.signal();
    expect(timeline.value).toBe(2);
    expect(timeline.signal(point)).toBe(false);
  });

  it('a point that fails has its error, and later ones are reached all the same', () => {
    const timeline = new Timeline();
    const [one, two] = [timeline.add(), timeline.add()];
    const fences = [timeline.point(one), timeline.point(two)];
    timeline.signal(two);
    timeline.fail(one, bad);
    expect(fences.map(({ status, error }) => [status, error])).toEqual([
      ['error', bad],
      ['ok', undefined],
    ]);
    // Asked for only then.
    expect(timeline.point(one).error).toBe(bad);
    expect(timeline.point(two).status).toBe('ok');
  });

  it('a point can be waited for before it is added', () => {
    const timeline = new Timeline();
    const second = timeline.point(2);
    expect(timeline.point(2)).toBe(second);
    timeline.signal(timeline.add());
    expect(second.status).toBe('pending');
    timeline.signal(timeline.add());
    expect(second.status).toBe('ok');
  });

  it('fences are signalled in the order of their points, also from within callbacks', () => {
    const timeline = new Timeline();
    for (let count = 0; count < 6; count++) timeline.add();
    const order: number[] = [];
    for (const point of [5, 2, 1, 3, 6, 4]) {
      timeline.point(point).addCallback(() => {
        order.push(point);
        if (point === 2) for (const other of [5, 4]) timeline.signal(other);
      });
    }
    timeline.signal(3);
    timeline.signal(2);
    timeline.signal(1);
    timeline.signal(6);
    expect(order).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each([0, -1, 1.5, Number.NaN, '1', 2 ** 20 + 1])(
    'what is no point is refused: %j',
    (point) => {
      const timeline = new Timeline({ label: 'frames' });
      expect(() => timeline.point(point as never)).toThrow(RangeError);
      expect(() => timeline.signal(point as never)).toThrow(RangeError);
      expect(() => timeline.fail(point as never, bad)).toThrow('"frames"');
    },
  );

  it('what is no fence, and what are no options, is refused', () => {
    expect(() => new Timeline().add({} as never)).toThrow(TypeError);
    expect(() => new Timeline(5 as never)).toThrow(TypeError);
    expect(() => new Timeline({ label: 5 as never })).toThrow(TypeError);
    expect(() => new Timeline().signal(1)).toThrow('no point 1 has been added');
  });

  it('more than 1,048,576 open points are refused', () => {
    const timeline = new Timeline();
    for (let count = 0; count < 2 ** 20; count++) timeline.add();
    expect(() => timeline.add()).toThrow('points are open');
    timeline.signal(1);
    expect(timeline.add()).toBe(2 ** 20 + 1);
  });
});

describe('hints at a point travel to the works of all points up to it', () => {
  it('that are there, and that are added later', () => {
    const timeline = new Timeline();
    const works = Array.from({ length: 5 }, () => new Fence());
    const add = (index: number) => timeline.add(works[index]);
    for (const index of [0, 1, 2]) add(index);
    timeline.point(2).hintDeadline(200);
    timeline.point(4).hintDeadline(400);
    for (const index of [3, 4]) add(index);
    const never = Number.POSITIVE_INFINITY;
    expect(works.map(({ deadlineMs }) => deadlineMs)).toEqual([200, 200, 400, 400, never]);
  });
});

describe('10,000 points', () => {
  const count = 10_000;
  const forward = Array.from({ length: count }, (_, index) => index + 1);
  const random = (): number[] => {
    const choose = randomFrom(seed);
    const points = [...forward];
    for (let at = points.length - 1; at > 0; at--) {
      const other = choose(at + 1);
      [points[at], points[other]] = [points[other] as number, points[at] as number];
    }
    return points;
  };

  /** Counts what is done with points: a measure of the work that no load of the machine changes. */
  class CountingMap<V> extends Map<number, V> {
    static stepCount = 0;
    override get(key: number) {
      CountingMap.stepCount++;
      return super.get(key);
    }
    override has(key: number) {
      CountingMap.stepCount++;
      return super.has(key);
    }
    override set(key: number, value: V) {
      CountingMap.stepCount++;
      return super.set(key, value);
    }
    override delete(key: number) {
      CountingMap.stepCount++;
      return super.delete(key);
    }
  }

  it.each([
    ['forward', () => forward],
    ['backward', () => forward.toReversed()],
    [`at random (KDS_SEED=${seed})`, random],
  ])('signalled %s are reached in order, in linear time', (_, orderOf) => {
    const ordinary = globalThis.Map;
    globalThis.Map = CountingMap as never;
    let timeline: Timeline;
    try {
      timeline = new Timeline();
    } finally {
      globalThis.Map = ordinary;
    }
    CountingMap.stepCount = 0;
    const reached: number[] = [];
    for (let index = 0; index < count; index++) timeline.add();
    for (const point of forward) timeline.point(point).addCallback(() => reached.push(point));
    const largest = new Set<number>();
    for (const point of orderOf()) {
      timeline.signal(point);
      largest.add(point);
      // By a naive count: all up to the first that is missing.
      if (largest.size % 997 === 0) {
        const missing = forward.find((each) => !largest.has(each)) ?? count + 1;
        expect(timeline.value).toBe(missing - 1);
      }
    }
    expect(timeline.value).toBe(count);
    expect(reached).toEqual(forward);
    expect(CountingMap.stepCount).toBeGreaterThan(count);
    expect(CountingMap.stepCount).toBeLessThan(12 * count);
  });
});
