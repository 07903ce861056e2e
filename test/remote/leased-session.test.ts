import { describe, expect, it } from 'vitest';
import { LeasedSession, type Loss, type Renewal } from '../../src/remote/leased-session.ts';
import { MovedClock } from '../runtime/moved-clock.ts';

const leaseMs = 1000;
const retryMs = 100;

/** A server that answers heartbeats by hand, and a record of what the session reports. */
class World {
  readonly clock = new MovedClock();
  readonly sent: string[] = [];
  readonly reports: string[] = [];
  readonly session: LeasedSession;
  onRunOut = (): void => void this.reports.push('run out');
  #answer: (answer: Renewal | Loss) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor() {
    const heartbeat = (kind: string) => () => {
      this.sent.push(kind);
      return new Promise<Renewal | Loss>((resolve, reject) => {
        this.#answer = resolve;
        this.#fail = reject;
      });
    };
    this.session = new LeasedSession({
      clock: this.clock,
      heartbeatsPerLease: 4,
      retryMs,
      open: heartbeat('open'),
      renew: heartbeat('renew'),
      end: async () => void this.sent.push('end'),
      onRenewed: () => this.reports.push('renewed'),
      onRunOut: () => this.onRunOut(),
      onLost: (why) => this.reports.push(`lost: ${why}`),
      onFailed: () => this.reports.push('failed'),
    });
  }

  async open(): Promise<void> {
    const opened = this.session.open();
    await this.renew();
    expect(await opened).toBe(true);
  }

  async renew(isMoreDue = false, sentMs = this.clock.nowMs()): Promise<void> {
    this.#answer({ sentMs, leaseMs, isMoreDue });
    await settled();
  }

  async lose(): Promise<void> {
    this.#answer({ lost: 'it is unknown' });
    await settled();
  }

  async fail(): Promise<void> {
    this.#fail(new Error('no answer'));
    await settled();
  }
}

/** All that follows an answer has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a leased session', () => {
  it('is opened once, and then renewed by heartbeats', async () => {
    const world = new World();
    await world.open();
    expect([world.session.isUp, world.session.isValid]).toEqual([true, true]);
    world.clock.move(leaseMs / 4);
    await world.renew();
    world.clock.move(leaseMs / 4);
    expect(world.sent).toEqual(['open', 'renew', 'renew']);
  });

  it('that gets no answer is suspect, retries, and is open again at the next answer', async () => {
    const world = new World();
    await world.open();
    world.session.suspect();
    expect(world.session.isUp).toBe(false);
    await world.fail();
    world.clock.move(retryMs);
    await world.renew();
    expect(world.session.isUp).toBe(true);
    expect(world.reports).toEqual(['renewed', 'failed', 'renewed']);
  });

  it('reports that its lease has run out, and may yet be renewed', async () => {
    const world = new World();
    await world.open();
    world.clock.stopFor(leaseMs);
    world.session.check();
    expect(world.reports).toEqual(['renewed', 'run out']);
    expect([world.session.isLive, world.session.isValid]).toEqual([true, false]);
    world.session.heartbeatNow();
    await world.renew();
    expect(world.session.isValid).toBe(true);
  });

  it('reports that its lease has run out as soon as an answer comes that is older', async () => {
    const world = new World();
    await world.open();
    const sentMs = world.clock.nowMs();
    world.session.heartbeatNow();
    world.clock.stopFor(2 * leaseMs);
    await world.renew(false, sentMs);
    expect(world.reports).toEqual(['renewed', 'renewed', 'run out']);
    expect(world.session.isValid).toBe(false);
    world.session.heartbeatNow();
    await world.renew();
    expect(world.session.isValid).toBe(true);
  });

  it('that is given up as its lease has run out sends no heartbeat for it', async () => {
    const world = new World();
    world.onRunOut = () => world.session.lose('it has run out');
    await world.open();
    world.clock.stopFor(leaseMs);
    world.session.heartbeatNow();
    await settled();
    expect(world.reports).toEqual(['renewed', 'lost: it has run out']);
    expect([world.sent, world.clock.timerCount]).toEqual([['open'], 0]);
  });

  it('that the server does not know is lost, once, and sends nothing more', async () => {
    const world = new World();
    await world.open();
    world.session.heartbeatNow();
    await world.lose();
    world.session.lose('again');
    world.session.heartbeatNow();
    world.clock.move(10 * leaseMs);
    await world.session.close();
    expect(world.reports).toEqual(['renewed', 'lost: it is unknown']);
    expect([world.sent, world.clock.timerCount]).toEqual([['open', 'renew'], 0]);
  });

  it('that is closed while a heartbeat is under way ignores the answer', async () => {
    const world = new World();
    await world.open();
    world.session.heartbeatNow();
    await world.session.close();
    await world.renew();
    world.clock.move(10 * leaseMs);
    expect(world.sent).toEqual(['open', 'renew', 'end']);
    expect(world.reports).toEqual(['renewed']);
    expect([world.session.isLive, world.clock.timerCount]).toEqual([false, 0]);
  });

  it('sends one heartbeat at a time; those that are due meanwhile are one', async () => {
    const world = new World();
    await world.open();
    for (let count = 0; count < 3; count++) world.session.heartbeatNow();
    expect(world.sent).toEqual(['open', 'renew']);
    await world.renew();
    world.clock.move(1);
    expect(world.sent).toEqual(['open', 'renew', 'renew']);
    await world.renew(true);
    world.clock.move(1);
    expect(world.sent).toHaveLength(4);
  });

  it('whose first heartbeat fails can be opened again', async () => {
    const world = new World();
    const refused = expect(world.session.open()).rejects.toThrow('no answer');
    await world.fail();
    await refused;
    await world.open();
    expect(world.sent).toEqual(['open', 'open']);
  });
});
