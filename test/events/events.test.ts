/** What those hear who watch a domain: through node:diagnostics_channel, and by watchEvents. */

import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import {
  createDomain,
  type DomainEvents,
  type EventName,
  eventNames,
  type SyncDomain,
  watchEvents,
} from 'kds';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';

const documentPath = new URL('../../docs/observability.md', import.meta.url);

interface Heard {
  readonly name: EventName;
  readonly event: DomainEvents[EventName];
}

let stop: () => void = () => undefined;
afterEach(() => stop());

/** All events from now on. */
function hear(): Heard[] {
  const heard: Heard[] = [];
  stop = watchEvents((name, event) => void heard.push({ name, event }));
  return heard;
}

/** Name, id and outcome, one after the other. */
function story(heard: readonly Heard[]): string[] {
  return heard.map(({ name, event }) => {
    const { outcome = '', cause = '' } = event as { outcome?: string; cause?: string };
    const what = name.replace(/^kds\./, '');
    return [what, event.label ?? event.id, outcome + cause].join(' ').trim();
  });
}

const held = async (domain: SyncDomain, label = 'one') =>
  domain.acquire({ exclusive: 'a' }, { label });

describe('events', () => {
  it('report a request and its grant, in order, and nothing without a listener', async () => {
    const domain = createDomain({ label: 'mine' });
    const heard = hear();
    const one = await domain.acquire({ exclusive: ['a', 'b'], shared: 'c' }, { label: 'one' });
    const two = domain.session({ label: 'inner' }).acquire({ shared: 'a' }, { label: 'two' });
    one.release();
    const grant = await two;
    grant.release();
    expect(story(heard)).toEqual([
      'request.start one',
      'request.grant one',
      'request.end one granted',
      'request.start two',
      'request.miss two',
      'grant.release one',
      'request.grant two',
      'request.end two granted',
      'grant.release two',
    ]);
    const [start, given, , , miss] = heard.map(({ event }) => event);
    expect(start).toMatchObject({
      domain: { backend: 'process', label: 'mine' },
      set: { exclusive: ['a', 'b'], shared: ['c'] },
      session: 'mine',
      isSync: false,
      steals: false,
    });
    expect(given).toMatchObject({ token: one.token, recovered: [], ignored: [], id: start?.id });
    expect(miss).toMatchObject({ session: 'inner', set: { exclusive: [], shared: ['a'] } });
    const times = heard.map(({ event }) => event.timeUs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    stop();
    (await held(domain)).release();
    expect(heard).toHaveLength(9);
  });

  it('name every way in which a request can end', async () => {
    const domain = createDomain();
    const holder = await held(domain, 'holder');
    const heard = hear();
    const wait = { exclusive: 'a' };
    await domain.tryAcquire(wait, { label: 'try' });
    await domain.acquire(wait, { timeoutMs: 0, label: 'never' }).catch(() => undefined);
    await domain.acquire(wait, { timeoutMs: 1, label: 'soon' }).catch(() => undefined);
    domain.enqueue(wait, () => undefined, { label: 'cancel' }).cancel();
    const signal = AbortSignal.abort();
    await domain.acquire(wait, { signal, label: 'aborted before' }).catch(() => undefined);
    const controller = new AbortController();
    const aborted = domain.acquire(wait, { signal: controller.signal, label: 'aborted' });
    controller.abort();
    await aborted.catch(() => undefined);
    const both = domain.acquire({ exclusive: ['a', 'b'] }, { label: 'both' });
    both.catch(() => undefined);
    await domain
      .acquire({ exclusive: 'b' }, { holding: holder, label: 'circle' })
      .catch(() => undefined);
    await domain.close();
    expect(story(heard).filter((line) => line.startsWith('request.end'))).toEqual([
      'request.end try denied',
      'request.end never timed-out',
      'request.end soon timed-out',
      'request.end cancel cancelled',
      'request.end aborted cancelled',
      'request.end circle refused',
      'request.end both closed',
    ]);
    expect(story(heard).at(-1)).toBe('grant.lost holder closed');
    const startCount = story(heard).filter((line) => line.startsWith('request.start')).length;
    expect(startCount).toBe(7);
  });

  it('report a steal, a recovery, an abandon, and a downgrade', async () => {
    const domain = createDomain();
    const revoked = await held(domain, 'revoked');
    const heard = hear();
    const steal = await domain.acquire({ exclusive: 'a' }, { steal: true, label: 'steal' });
    expect(story(heard)).toEqual([
      'request.start steal',
      'request.grant steal',
      'grant.recovered steal',
      'request.end steal granted',
      'grant.lost revoked stolen',
    ]);
    revoked.release();
    heard.length = 0;
    steal.downgrade();
    steal.abandon();
    const grant = await domain.acquire({ exclusive: ['a', 'b'] }, { label: 'parts' });
    grant.release('b');
    grant.release('a');
    expect(story(heard)).toEqual([
      'grant.weaken steal',
      'grant.release steal',
      'request.start parts',
      'request.grant parts',
      'request.end parts granted',
      'grant.weaken parts',
      'grant.release parts',
    ]);
    expect(heard[0]?.event.set).toEqual({ exclusive: [], shared: ['a'] });
    expect(heard[1]?.event).toMatchObject({ isAbandoned: true });
    expect(heard[5]?.event.set).toEqual({ exclusive: ['a'], shared: [] });
  });

  it('report a grant that is held for long', async () => {
    const domain = createDomain({ holdWarningMs: 1, onHoldWarning: () => undefined });
    const told = new Promise<Heard>((resolve) => {
      stop = watchEvents((name, event) => {
        if (name === 'kds.grant.held-long') resolve({ name, event });
      });
    });
    const grant = await held(domain, 'slow');
    const { event } = await told;
    expect(event).toMatchObject({ label: 'slow', token: grant.token, pendingCount: 0 });
    grant.release();
  });

  it('of a request older than its listeners, report what is still known', async () => {
    const domain = createDomain();
    const one = await held(domain);
    const two = domain.acquire({ exclusive: 'a' }, { label: 'two' });
    const heard = hear();
    one.release();
    (await two).release();
    expect(story(heard)).toEqual([
      ...['grant.release one', 'request.grant two'],
      ...['request.end two granted', 'grant.release two'],
    ]);
    expect(heard[0]?.event.set).toEqual({ exclusive: ['a'], shared: [] });
  });

  it('come after the operation, so that a listener may use the domain', async () => {
    const domain = createDomain();
    const heard: string[] = [];
    stop = watchEvents((name, { label }) => {
      heard.push(`${name} ${label}`);
      if (name !== 'kds.request.grant' || label !== 'one') return;
      const second = domain.tryAcquireSync({ exclusive: 'b' }, { label: 'inner' });
      expect(domain.tryAcquireSync({ exclusive: 'a' })).toBeNull();
      second?.release();
    });
    (await held(domain)).release();
    expect(heard.filter((line) => line.endsWith('inner'))).toHaveLength(4);
    expect((await domain.query()).held).toEqual([]);
  });

  it('are documented, with all of their fields', async () => {
    const documented = readFileSync(documentPath, 'utf8');
    const domain = createDomain({ label: 'mine', holdWarningMs: 1 });
    const heard = hear();
    await (await held(domain)).abandon();
    const kept = await domain.acquire({ exclusive: ['a', 'b'] });
    kept.release('b');
    await until(() => heard.some(({ name }) => name === 'kds.grant.held-long'), 'it is held long');
    const waiting = domain.acquire({ shared: 'a' });
    const robber = await domain.acquire({ exclusive: 'a' }, { steal: true });
    robber.release();
    (await waiting).release();
    domain.setCapacity('c', 2);
    (await domain.acquire({ shared: 'c' })).tryUpgrade();
    expect(new Set(heard.map(({ name }) => name))).toEqual(new Set(eventNames));
    for (const { name, event } of heard) {
      for (const word of [name, ...Object.keys(event)]) expect(documented).toContain(`\`${word}\``);
    }
  });

  it('a channel of Node is found by its name, and others stay silent', async () => {
    const heard: unknown[] = [];
    const listener = (message: unknown, name: string | symbol): void => {
      heard.push([name, (message as { label: string }).label]);
    };
    subscribe('kds.grant.release', listener);
    (await held(createDomain(), 'seen')).release();
    expect(heard).toEqual([['kds.grant.release', 'seen']]);
    expect(channel('kds.request.start').hasSubscribers).toBe(false);
    expect(unsubscribe('kds.grant.release', listener)).toBe(true);
    (await held(createDomain(), 'unseen')).release();
    expect(heard).toHaveLength(1);
    expect(eventNames.map((name) => channel(name).hasSubscribers)).not.toContain(true);
  });
});
