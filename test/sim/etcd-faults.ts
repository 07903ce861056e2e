/** Faults to put into the etcd backend, each of which the simulation must notice. */

import type { ProfileName } from '../../sim/etcd/fault-profile.ts';
import type { SourceFault } from './worlds.ts';

export interface EtcdFault extends SourceFault {
  /** The faults of the world under which it does harm soon; any, if not given. */
  readonly profile?: ProfileName;
}

export const etcdFaults: readonly EtcdFault[] = [
  {
    name: 'a set is granted as it comes, before its turn',
    file: 'replica.ts',
    find: 'added.filter((live) => this.state.isGranted(live))',
    replace: 'added',
  },
  {
    name: 'a waiter has the token of its arrival',
    file: 'replica.ts',
    find: 'live.token = tokenOfWaiter(this.revision, index);',
    replace: 'live.token = live.tokenAtArrival;',
  },
  {
    name: 'a watch that leaves out a transaction is followed on',
    file: 'replica.ts',
    find: 'if (link === undefined || link.isDelete) return;',
    replace: 'return;',
    profile: 'lossy',
  },
  {
    name: 'deletions that a compacted watch drops are not missed (etcd#18089)',
    file: 'replica.ts',
    find: 'deleted.every((key) => reported.has(key) || !this.#keys.has(key));',
    replace: 'true;',
    profile: 'compacted',
  },
  {
    name: 'keys that are read anew are taken in the order of their names',
    file: 'derived-state.ts',
    find: 'const sorted = [...sets].sort(byArrival);',
    replace: 'const sorted = [...sets];',
    profile: 'torn',
  },
  {
    name: 'a copy that lacks something is not read anew at a heartbeat',
    file: 'log.ts',
    find: 'if (!isComplete) await this.#reread(revision);',
    replace: '',
    profile: 'lossy',
  },
  {
    name: 'a watch that is silent is never opened anew',
    file: 'log.ts',
    find: "if (this.#progress === before && this.#state === 'following') {",
    replace: 'if (this.#progress < 0) {',
    profile: 'torn',
  },
  {
    name: 'sets of expired sessions are left in line',
    file: 'session-reaper.ts',
    find: 'if (this.#expired().length > 0) this.#reapLater(',
    replace: 'if (this.#isBusy) this.#reapLater(',
    profile: 'deadly',
  },
  {
    name: 'what an expired session held is given on without a flag',
    file: 'batch.ts',
    find: 'refs.map((ref) => flagOf(keys, encodeResource(ref, session), true))',
    replace: 'refs.slice(0, 0)',
    profile: 'deadly',
  },
  {
    name: 'a set that a late call has made again is left in line',
    file: 'outbox.ts',
    find: 'own.isEnding = true;\n    void this.update(own);',
    replace: '',
    profile: 'torn',
  },
  {
    name: 'a set that was stolen before its client has seen it is waited for',
    file: 'outbox.ts',
    find: 'return modRevision <= replica.resetRevision && !replica.sets.has(key);',
    replace:
      'return modRevision <= replica.resetRevision && replica.stealRevision < 0 && key === "";',
    profile: 'lossy',
  },
  {
    name: 'a set is put again by a call that comes twice',
    file: 'batch.ts',
    find: 'if (modRevision === 0 && !isEnding) this.compares.push(createdAt(key, 0));',
    replace: 'if (modRevision === 0 && !isEnding) return;',
    profile: 'torn',
  },
  {
    name: 'two sets record the same units in one transaction',
    file: 'units.ts',
    find: ', ...[...others.values()].flat()]',
    replace: ']',
  },
  {
    name: 'a set is reported before its units are recorded',
    file: 'receiver.ts',
    find: 'if (length === 0) this.#report(live, recovered);',
    replace: 'if (length >= 0) this.#report(live, recovered);',
  },
  {
    name: 'an upgrade goes through beside other holders',
    file: 'derived-state.ts',
    find: 'if (other === live ? !isTriggered : isTriggered || this.mayHold(other)) return false;',
    replace: 'if (other === live && !isTriggered) return false;',
  },
];
