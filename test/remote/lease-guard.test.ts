import { describe, expect, it } from 'vitest';
import { LeaseGuard } from '../../src/remote/lease-guard.ts';
import { MovedClock } from '../runtime/moved-clock.ts';

describe('a lease guard', () => {
  it('ends before the lease can, counted from before it was asked for', () => {
    const clock = new MovedClock();
    let endedAtMs = 0;
    const guard = new LeaseGuard(clock, () => {
      endedAtMs = clock.nowMs();
    });
    const sentMs = clock.nowMs();
    // The answer is under way for four seconds; the server's lease may have begun at once.
    clock.move(4000);
    guard.renewed(sentMs, 10_000);
    expect(guard.isValid).toBe(true);
    clock.move(20_000);
    expect(endedAtMs).toBeGreaterThan(sentMs + 8000);
    expect(endedAtMs).toBeLessThan(sentMs + 10_000);
    expect(guard.isValid).toBe(false);
  });

  it('is not prolonged by an answer that comes late', () => {
    const clock = new MovedClock();
    let endCount = 0;
    const guard = new LeaseGuard(clock, () => endCount++);
    const firstMs = clock.nowMs();
    clock.move(1000);
    guard.renewed(clock.nowMs(), 10_000);
    guard.renewed(firstMs, 10_000);
    clock.move(8900);
    expect(guard.isValid).toBe(true);
    clock.move(200);
    expect([guard.isValid, endCount]).toEqual([false, 1]);
  });

  it('goes on as long as it is renewed, and leaves no timer behind', () => {
    const clock = new MovedClock();
    let endCount = 0;
    const guard = new LeaseGuard(clock, () => endCount++);
    for (let beat = 0; beat < 100; beat++) {
      guard.renewed(clock.nowMs(), 1000);
      clock.move(800);
      expect(guard.isValid).toBe(true);
      expect(clock.timerCount).toBe(1);
    }
    guard.end();
    clock.move(10_000);
    expect([guard.isValid, endCount, clock.timerCount]).toEqual([false, 0, 0]);
  });

  it('is over for a process that was stopped, before any timer runs', () => {
    const clock = new MovedClock();
    const guard = new LeaseGuard(clock, () => undefined);
    guard.renewed(clock.nowMs(), 1000);
    clock.stopFor(5000);
    expect(guard.isValid).toBe(false);
  });

  it('holds nothing until it has been renewed', () => {
    expect(new LeaseGuard(new MovedClock(), () => undefined).isValid).toBe(false);
  });

  it('is over at the first check after its end, though its timer has not run, and once', () => {
    const clock = new MovedClock();
    let endCount = 0;
    const guard = new LeaseGuard(clock, () => endCount++);
    guard.check();
    guard.renewed(clock.nowMs(), 10_000);
    guard.check();
    expect(endCount).toBe(0);
    clock.stopFor(9001);
    guard.check();
    guard.check();
    expect([endCount, clock.timerCount]).toEqual([1, 0]);
    guard.renewed(clock.nowMs(), 10_000);
    guard.end();
    clock.stopFor(20_000);
    guard.check();
    expect(endCount).toBe(1);
  });
});
