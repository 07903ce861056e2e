import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../sim/clock.ts';
import { Machine } from '../../sim/machine.ts';
import { SeededRandom } from '../../sim/random.ts';
import { inVirtualTime, Violation, World } from '../../sim/world.ts';

describe('virtual time', () => {
  it('goes from event to event, and events of one moment come in the order asked for', () => {
    const clock = new VirtualClock();
    const events: string[] = [];
    const random = new SeededRandom(7);
    const delays = Array.from({ length: 500 }, () => random.below(50));
    for (const [index, delay] of delays.entries()) {
      clock.after(delay, () => events.push(`${clock.nowMs} ${index}`));
    }
    clock.after(25, () => events.push('cancelled'))();
    while (clock.step(Number.POSITIVE_INFINITY));
    const expected = delays.map((delay, index) => [delay, index] as const);
    expected.sort(([one, first], [other, second]) => one - other || first - second);
    expect(events).toEqual(expected.map(([delay, index]) => `${delay} ${index}`));
  });

  it('does not go past the end that is given', () => {
    const clock = new VirtualClock();
    clock.after(10, () => undefined);
    expect(clock.step(9)).toBe(false);
    expect(clock.nowMs).toBe(0);
    expect(clock.step(10)).toBe(true);
    expect(clock.nowMs).toBe(10);
  });

  it('is all the time there is, and chance is not to be had', async () => {
    const world = new World(1);
    const realNow = performance.now;
    await inVirtualTime(world.clock, async () => {
      world.clock.after(5000, () => undefined);
      await world.run(10_000);
      expect([Date.now(), performance.now()]).toEqual([5000, 5000]);
      expect(() => setTimeout(() => undefined, 1)).toThrow(Violation);
      expect(() => Math.random()).toThrow(Violation);
    });
    expect(performance.now).toBe(realNow);
    expect(Math.random()).toBeLessThan(1);
  });
});

describe('a world', () => {
  it('lets all promises settle between two events', async () => {
    const world = new World(1);
    const events: string[] = [];
    const chain = async (name: string): Promise<void> => {
      for (let step = 0; step < 100; step++) await null;
      events.push(name);
    };
    world.clock.after(1, () => void chain('first'));
    world.clock.after(1, () => events.push('second'));
    await world.run(10);
    expect(events).toEqual(['first', 'second']);
  });

  it.each([
    [
      'an event throws',
      () => {
        throw new Error('it broke');
      },
    ],
    [
      'a promise is rejected, and no handler is attached',
      () => void Promise.reject(new Error('it broke')),
    ],
  ])('ends where %s', async (_, breaks) => {
    const world = new World(1);
    let isLater = false;
    world.clock.after(1, breaks);
    world.clock.after(2, () => {
      isLater = true;
    });
    await expect(world.run(10)).rejects.toThrow('it broke');
    expect(isLater).toBe(false);
  });

  it('that goes on for ever is stopped', async () => {
    const world = new World(1);
    const again = (): void => {
      world.clock.after(0, again);
    };
    again();
    await expect(world.run(1)).rejects.toThrow('events');
  });
});

describe('a machine', () => {
  it('has a clock of its own rate', async () => {
    const world = new World(1);
    const machine = new Machine(world, 'slow', 0.5);
    const startMs = machine.nowMs();
    let rangAtMs = 0;
    machine.after(100, () => {
      rangAtMs = world.nowMs;
    });
    await world.run(1000);
    expect(rangAtMs).toBe(200);
    expect(machine.nowMs() - startMs).toBe(100);
  });

  it('that is stopped receives all later, messages in order; a dead one nothing', async () => {
    const world = new World(3);
    const received: string[] = [];
    const machine = new Machine(world, 'a', 1);
    const dead = new Machine(world, 'b', 1);
    for (const [index, name] of ['one', 'two', 'three'].entries()) {
      world.clock.after(10 + index, () => machine.receive(() => received.push(name)));
    }
    machine.after(11, () => received.push('timer'));
    dead.after(11, () => received.push('dead'));
    world.clock.after(5, () => machine.stop());
    world.clock.after(6, () => dead.kill());
    world.clock.after(100, () => {
      expect(received).toEqual([]);
      machine.resume();
    });
    await world.run(1000);
    expect(received.filter((name) => name !== 'timer')).toEqual(['one', 'two', 'three']);
    expect(received).toHaveLength(4);
  });
});

describe('random numbers of a seed', () => {
  it('are the same for the same seed, others for others, and of no pattern to be seen', () => {
    const draw = (seed: number): number[] => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 1000 }, () => random.below(10));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(2 ** 40)).not.toEqual(draw(2 ** 41));
    const counts = Array.from(
      { length: 10 },
      (_, digit) => draw(9).filter((n) => n === digit).length,
    );
    for (const count of counts) expect(count).toBeGreaterThan(60);
  });

  it('of a fork do not depend on what is drawn later', () => {
    const [one, other] = [new SeededRandom(5), new SeededRandom(5)];
    const fork = one.fork();
    one.below(3);
    const twin = other.fork();
    expect(fork.below(1000)).toBe(twin.below(1000));
    expect(() => new SeededRandom(-1)).toThrow(RangeError);
  });
});
