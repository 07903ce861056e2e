/**
 * A client of a chaos run, in a process of its own: it comes by bad networks, and under its grants
 * writes into etcd, guarded, without a check that it still has them. It writes down each grant as
 * received, by the set's key in the log, and a hash of its copy of the state at each revision. Its
 * clock is shifted by a message from the test.
 */

import { openSync, writeSync } from 'node:fs';
import { EtcdBackend } from '../../../src/backends/etcd/backend.ts';
import { putOf, toBase64 } from '../../../src/backends/etcd/calls.ts';
import { EtcdConnection } from '../../../src/backends/etcd/connection.ts';
import type { EtcdGrant, GuardedGrant } from '../../../src/backends/etcd/grant.ts';
import { httpMembers } from '../../../src/backends/etcd/http-member.ts';
import { Keys } from '../../../src/backends/etcd/keys.ts';
import type { Grant } from '../../../src/index.ts';
import { RemoteBackend } from '../../../src/remote/backend.ts';
import type { Granted } from '../../../src/remote/protocol.ts';
import type { RemoteRequest } from '../../../src/remote/request.ts';
import { RemoteSession } from '../../../src/remote/session.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { StressClient } from '../../stress/client.ts';
import { noteStates } from '../noted-states.ts';
import { hashOf, type ReportedGrant } from './reported.ts';

export interface ClientOrders {
  /** Networks before the members, and the members themselves. */
  readonly hosts: readonly string[];
  readonly members: readonly string[];
  readonly journalPath: string;
  /** Lines of {@link ReportedGrant}. */
  readonly grantsPath: string;
  /** Lines of client, revision, and what {@link hashOf} makes of its copy. */
  readonly digestsPath: string;
  readonly name: string;
  readonly seed: number;
  readonly client: string;
  readonly leaseSeconds: number;
  /** Some sets are held for up to so long. */
  readonly holdMsMax: number;
}

/** For so long a client tries to come in. */
const openMsMax = 600_000;
const attemptMs = 300;
const requesterCount = 4;

const orders = JSON.parse(process.argv[2] ?? '') as ClientOrders;
const keys = new Keys(orders.name);
const grants = openSync(orders.grantsPath, 'a');
const digests = openSync(orders.digestsPath, 'a');
noteStates((replica) => {
  writeSync(digests, `${orders.client} ${replica.revision} ${hashOf(replica.digest())}\n`);
});
let shiftMs = 0;
const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + shiftMs };
process.on('message', (message) => {
  if (typeof message === 'number') shiftMs += message;
});

let sessionCount = 0;
let session = '';
const keyOf = new WeakMap<Grant, string>();

class NotingBackend extends EtcdBackend {
  override createGrant(request: RemoteRequest, granted: Granted): GuardedGrant {
    const { token, recovered = [] } = granted;
    const line: ReportedGrant = { token, key: keys.set(session, request.id), recovered };
    writeSync(grants, `${JSON.stringify(line)}\n`);
    const grant = super.createGrant(request, granted);
    keyOf.set(grant, line.key);
    return grant;
  }
}

/** As `openEtcdDomain` does it, but for the clock, and again and again while faults go on. */
async function open(): Promise<RemoteSession> {
  const endMs = performance.now() + openMsMax;
  for (;;) {
    const members = httpMembers(orders.hosts.map((host) => new URL(host)));
    const connection = new EtcdConnection({ members, attemptMs, clock, random: Math.random });
    const backend = new NotingBackend({
      connection,
      keys,
      clock,
      leaseSeconds: orders.leaseSeconds,
      entry: { pid: process.pid, host: 'here', label: orders.client },
      nextSessionId: () => {
        session = `${orders.client}f${++sessionCount}`;
        return session;
      },
    });
    try {
      await backend.open();
      return new RemoteSession(new RemoteBackend(backend), orders.client);
    } catch (error) {
      connection.close();
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, attemptMs));
    }
  }
}

const direct = new EtcdConnection({
  members: httpMembers(orders.members.map((member) => new URL(member))),
  attemptMs: 2000,
  clock: systemClock,
  random: Math.random,
});

const guards = new WeakMap<Grant, ReturnType<EtcdGrant['guard']>>();

/**
 * A user's own transaction: it is to do something only while the grant lives. At the end of a
 * section it is made with what guarded it at the beginning, as somebody does who goes on after a
 * long sleep.
 */
async function writeGuarded(grant: Grant): Promise<void> {
  let guard = guards.get(grant);
  try {
    guard ??= (grant as EtcdGrant).guard();
  } catch {
    // It knows that the grant is lost.
    return;
  }
  guards.set(grant, guard);
  const compare = guard.map(({ key, target, revision }) => ({
    key: toBase64(key),
    result: 'EQUAL',
    ...(target === 'Mod'
      ? { target: 'MOD', mod_revision: String(revision) }
      : { target: 'CREATE', create_revision: String(revision) }),
  }));
  const success = [putOf(`${keys.prefix}x/${orders.client}`, keyOf.get(grant) ?? '')];
  // While no member answers nothing is written, and that is in order.
  await direct.call('/v3/kv/txn', { compare, success }, 4000).catch(() => undefined);
}

await new StressClient({
  domain: await open(),
  journalPath: orders.journalPath,
  seed: orders.seed,
  client: orders.client,
  inSection: writeGuarded,
  mayEndWith: ['KDS_UNAVAILABLE'],
  longMsMax: orders.holdMsMax,
}).run(requesterCount);
process.exit();
