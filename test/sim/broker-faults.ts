/** Faults to put into the broker and its client, each of which the simulation must notice. */

import type { ProfileName } from '../../sim/broker/fault-profile.ts';
import type { SourceFault } from './worlds.ts';

export interface BrokerFault extends SourceFault {
  /** The faults of the world under which it does harm soon; any, if not given. */
  readonly profile?: ProfileName;
}

export const brokerFaults: readonly BrokerFault[] = [
  {
    name: 'a broker grants at once while grants may still be claimed',
    file: 'server/connection.ts',
    find: 'if (grace.isOn) {',
    replace: 'if (grace.leftMs < 0) {',
    profile: 'failing',
  },
  {
    name: 'requests of the last broker are repeated in the order of their arrival',
    file: 'server/grace.ts',
    find: 'order(one) - order(other) || 0',
    replace: '(order(one) - order(other)) * 0 || 0',
    profile: 'failing',
  },
  {
    name: 'a grant can be claimed whenever a client connects',
    file: 'server/connection.ts',
    find: 'if (!this.#broker.grace.isOn) throw lostError(token);',
    replace: '',
    profile: 'torn',
  },
  {
    name: 'a grant that is claimed gets the lowest units',
    file: 'server/unit-calls.ts',
    find: 'this.#broker.capacities.restorable(each))',
    replace:
      'this.#broker.capacities.restorable({ ...each, ranges: each.ranges.map(([from, n]) => ' +
      '[from - each.ranges[0][0], n] as const) }))',
    profile: 'failing',
  },
  {
    name: 'a client that only holds does not reach the next broker',
    file: 'client/backend.ts',
    find: 'this.#isAnswerAwaited || this.requests.heldCount > 0 || this.#capacities.count > 0,',
    replace: 'this.#isAnswerAwaited,',
    profile: 'failing',
  },
  {
    name: 'a client does not ask the next broker for what it waits for',
    file: 'client/backend.ts',
    find: '      this.#sendRequest(pending, this.clock.nowMs());\n    }',
    replace: '    }',
    profile: 'failing',
  },
  {
    name: 'what a dead client held is taken for released',
    file: 'server/connection.ts',
    find: 'this.#drop([...this.requests.values()], true);',
    replace: 'this.#drop([...this.requests.values()], false);',
  },
  {
    name: 'what a dead client held stays held',
    file: 'server/connection.ts',
    find: 'this.#drop([...this.requests.values()], true);',
    replace: '',
    profile: 'deadly',
  },
  {
    name: 'the holder that a request has stolen from is not notified',
    file: 'server/registry.ts',
    find: 'if (request.grant?.isHeld === false) request.owner.lose(request);',
    replace: '',
  },
  {
    name: 'tokens begin at the time of day',
    file: 'server/tokens.ts',
    find: 'Math.max(nowUs, term.tokensBefore)',
    replace: 'Math.max(nowUs, term.tokensBefore * 0)',
    profile: 'timed',
  },
  {
    name: 'a broker does not check for another one whose files are deleted',
    file: 'server/term.ts',
    find: 'if (othersThan(sign, files.socketPath).length === 0) {',
    replace: 'if (othersThan(sign, files.socketPath).length >= 0) {',
    profile: 'deleted',
  },
  {
    name: 'a broker does not put back the link that newcomers follow',
    file: 'server/term.ts',
    find: 'if (files.readPublished() !== files.socketName) files.publish();',
    replace: '',
    profile: 'deleted',
  },
  {
    name: 'the time of grace goes by while the broker stands still',
    file: 'server/grace.ts',
    find: 'const stepMs = Math.min(this.#leftMs, stepMsMax);',
    replace: 'const stepMs = this.#leftMs;',
    profile: 'drowsy',
  },
  {
    name: 'a record is not written over where there is no room for a new one',
    file: 'server/term-record.ts',
    find: '    writeInto(path, O_WRONLY, text);\n  }\n}',
    replace: '  }\n}',
    profile: 'full',
  },
];
