/** A session of a server's domain, in a file of its own: other bundles do without it. */

import { type Ended, type EndsTogether, endsTogether } from '../api/ending.ts';
import type { Resource } from '../api/sets.ts';
import type { SessionOptions } from '../session/session-tree.ts';
import { LocalGrant } from './grant.ts';
import { CallbackRequest } from './request.ts';
import { LocalSession } from './session.ts';

export class ServedSession extends LocalSession implements EndsTogether {
  override session(options: SessionOptions = {}): ServedSession {
    return new ServedSession(this.requests, this.scope.open(options));
  }

  /** Whether a set holds a resource or waits for it. Changes nothing, never waits. */
  isUsed(ref: Resource | string): boolean {
    return this.requests.resources.isUsed(ref);
  }

  [endsTogether](ended: readonly Ended[], died: boolean): void {
    const { backend } = this.scope;
    backend.begin();
    const own: (CallbackRequest | LocalGrant)[] = [];
    for (const each of ended) {
      if (each instanceof LocalGrant) own.push(each);
      if (!(each instanceof CallbackRequest)) continue;
      const object = each.set === 0 ? each.takeDue() : each;
      if (object !== undefined) own.push(object);
    }
    backend.endings.endUnwanted(own, died);
    backend.commit();
  }
}
